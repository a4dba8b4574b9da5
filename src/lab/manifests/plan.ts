// Workloads to pods: which pods there are, on which nodes, with which ports. Pure; the same objects
// and the same pods already there give the same plan.
import type { PodPort, PodRecord } from '../record.ts'
import type { Notes } from './notes.ts'
import { type Fields, fieldsOf, type KubeObject, listOf, objectKey, stringsOf } from './read.ts'

export type PlannedPod = Pick<
  PodRecord,
  'namespace' | 'name' | 'owner' | 'node' | 'hostNetwork' | 'labels' | 'annotations' | 'ports'
>

export interface PlanNode {
  readonly name: string
}

/** Kinds that become pods. */
export const WORKLOADS = new Set([
  'Pod',
  'Deployment',
  'ReplicaSet',
  'ReplicationController',
  'StatefulSet',
  'DaemonSet',
  'Job',
])

const WORKLOAD_FIELDS = new Set([
  'replicas',
  'selector',
  'template',
  'serviceName',
  'parallelism',
  'completions',
])
const POD_FIELDS = new Set(['containers', 'nodeName', 'nodeSelector', 'hostNetwork'])
const CONTAINER_FIELDS = new Set(['name', 'ports'])
const PORT_FIELDS = new Set(['name', 'containerPort', 'protocol', 'hostPort', 'hostIP'])

interface Template {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly spec: Fields
}

/** Pods of all workloads among the objects; a pod that is there already keeps its node. */
export function planPods(
  objects: readonly KubeObject[],
  nodes: readonly PlanNode[],
  present: readonly PlannedPod[],
  notes: Notes,
): PlannedPod[] {
  const planned = new Map<string, PlannedPod>()
  const before = new Map(present.map((pod) => [`${pod.namespace}/${pod.name}`, pod]))
  for (const object of objects) {
    if (!WORKLOADS.has(object.kind)) continue
    const template = templateOf(object, notes)
    const allowed = allowedNodes(object, template.spec, nodes, notes)
    const ports = portsOf(template.spec, notes)
    for (const [name, pinned] of podNames(object, allowed, planned)) {
      const old = before.get(`${object.namespace}/${name}`)
      const keeps = old?.owner === objectKey(object) && allowed.includes(old.node)
      const node = pinned ?? (keeps ? old.node : leastLoaded(object, allowed, planned))
      if (node === undefined) continue
      planned.set(`${object.namespace}/${name}`, {
        namespace: object.namespace,
        name,
        owner: objectKey(object),
        node,
        hostNetwork: template.spec['hostNetwork'] === true,
        labels: template.labels,
        annotations: template.annotations,
        ports,
      })
    }
  }
  return [...planned.values()]
}

/** The pod template of a workload; a Pod is its own. */
function templateOf(object: KubeObject, notes: Notes): Template {
  const spec = fieldsOf(object.body, 'spec')
  if (object.kind === 'Pod') {
    const annotations = stringsOf(fieldsOf(object.body, 'metadata'), 'annotations')
    return { labels: object.labels, annotations, spec }
  }
  notes.unknownFields(`${object.kind}.spec`, spec, WORKLOAD_FIELDS)
  const template = fieldsOf(spec, 'template')
  return {
    labels: stringsOf(fieldsOf(template, 'metadata'), 'labels'),
    annotations: stringsOf(fieldsOf(template, 'metadata'), 'annotations'),
    spec: fieldsOf(template, 'spec'),
  }
}

/** Declared ports of all containers, each once. */
function portsOf(spec: Fields, notes: Notes): PodPort[] {
  const ports = new Map<string, PodPort>()
  notes.unknownFields('pod', spec, POD_FIELDS)
  for (const container of listOf(spec, 'containers')) {
    notes.unknownFields('container', container, CONTAINER_FIELDS)
    for (const declared of listOf(container, 'ports')) {
      notes.unknownFields('port', declared, PORT_FIELDS)
      const port = Number(declared['containerPort'])
      const protocol = String(declared['protocol'] ?? 'TCP')
      if (protocol !== 'TCP' && protocol !== 'UDP') {
        notes.add(`port of protocol ${protocol}`)
      } else if (Number.isInteger(port) && port > 0 && port < 65_536) {
        const name = String(declared['name'] ?? '')
        ports.set(`${port}/${protocol}`, { name, port, protocol, ...hostPortOf(declared) })
      }
    }
  }
  return [...ports.values()]
}

function hostPortOf({ hostPort, hostIP }: Fields): Pick<PodPort, 'hostPort' | 'hostIp'> {
  if (!Number(hostPort)) return {}
  return { hostPort: Number(hostPort), ...(hostIP ? { hostIp: String(hostIP) } : {}) }
}

function allowedNodes(
  object: KubeObject,
  spec: Fields,
  nodes: readonly PlanNode[],
  notes: Notes,
): string[] {
  const selector = stringsOf(spec, 'nodeSelector')
  const allowed = nodes
    .map(({ name }) => name)
    .filter((name) => spec['nodeName'] === undefined || spec['nodeName'] === name)
    .filter((name) => {
      const labels = nodeLabels(name)
      return Object.entries(selector).every(([key, value]) => labels[key] === value)
    })
  if (allowed.length === 0) {
    notes.add(`${objectKey(object)}: no node of the lab fits its nodeName or nodeSelector`)
  }
  return allowed
}

/** Labels of a node of the lab, as kubelet sets them. */
export function nodeLabels(name: string): Record<string, string> {
  return {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': process.arch === 'arm64' ? 'arm64' : 'amd64',
  }
}

/** Names of a workload's pods; a DaemonSet's come with their node. */
function podNames(
  object: KubeObject,
  allowed: readonly string[],
  taken: ReadonlyMap<string, PlannedPod>,
): [name: string, node: string | undefined][] {
  const free = (name: string): string =>
    taken.has(`${object.namespace}/${name}`) ? `${name}-${object.kind.toLowerCase()}` : name
  if (object.kind === 'Pod') return [[object.name, undefined]]
  if (object.kind === 'DaemonSet') {
    return allowed.map((node) => [free(`${object.name}-${node}`), node])
  }
  return Array.from({ length: replicasOf(object) }, (_, index) => [
    free(`${object.name}-${index}`),
    undefined,
  ])
}

function replicasOf(object: KubeObject): number {
  const spec = fieldsOf(object.body, 'spec')
  const count = object.kind === 'Job' ? spec['parallelism'] : spec['replicas']
  return Number.isInteger(count) ? Math.max(0, Number(count)) : 1
}

/** Spreads one workload first and all pods second; the order of nodes breaks ties. */
function leastLoaded(
  object: KubeObject,
  allowed: readonly string[],
  planned: ReadonlyMap<string, PlannedPod>,
): string | undefined {
  const pods = [...planned.values()]
  const own = (node: string): number =>
    pods.filter((pod) => pod.node === node && pod.owner === objectKey(object)).length
  const all = (node: string): number => pods.filter((pod) => pod.node === node).length
  return allowed
    .map((node) => ({ node, own: own(node), all: all(node) }))
    .sort((a, b) => a.own - b.own || a.all - b.all)[0]?.node
}
