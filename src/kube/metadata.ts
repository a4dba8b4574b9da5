// What all Kubernetes objects have in common: names, namespaces, and what becomes of an object.
import type { V1ObjectMeta } from '@kubernetes/client-node'
import type { Field } from './fields.ts'

export interface Converted<Row> {
  /** Absent: the object is fine and asks nothing of a node. */
  readonly row?: Row
  /** What the object asks for and does not get, a sentence each. */
  readonly notes?: readonly string[]
}

const CLUSTER_SCOPED = new Set(['Node', 'Namespace', 'ServiceCIDR', 'ClusterNetworkPolicy'])

export function isClusterScoped(kind: string): boolean {
  return CLUSTER_SCOPED.has(kind)
}

/** "Service default/web", as messages call it; also for objects whose metadata is broken. */
export function describeObject(kind: string, object: unknown): string {
  const { metadata } = (object ?? {}) as { metadata?: { name?: unknown; namespace?: unknown } }
  const { name, namespace } = metadata ?? {}
  if (typeof name !== 'string' || name === '') return `${kind} without a name`
  if (isClusterScoped(kind)) return `${kind} ${name}`
  return `${kind} ${typeof namespace === 'string' ? namespace : 'default'}/${name}`
}

export function readName(metadata: Field<V1ObjectMeta | undefined>): string {
  return readDnsName(metadata.get('name'))
}

export function readNamespace(metadata: Field<V1ObjectMeta | undefined>): string {
  const namespace = metadata.get('namespace')
  return namespace.absent || namespace.value === '' ? 'default' : readDnsName(namespace)
}

/** Names become keys ("namespace/name"), so a slash must not pass. */
function readDnsName(field: Field<string | undefined>): string {
  const name = field.text()
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name)) {
    field.is('give a name of lower-case letters, digits, - and .')
  }
  return name
}

export function unique<T>(values: readonly T[]): readonly T[] {
  return values.length > 1 ? [...new Set(values)] : values
}
