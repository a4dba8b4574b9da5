// Kubernetes objects to intent rows: validated here and nowhere else, a function for each kind.
// What is of no use to a node (a headless Service, a slice of DNS names) has no row; what is wrong
// throws an ObjectError.
import type {
  V1Endpoint,
  V1EndpointSlice,
  V1Namespace,
  V1Node,
  V1ObjectMeta,
  V1Pod,
  V1Service,
} from '@kubernetes/client-node'
import type { Address } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import type {
  EndpointSlice,
  Namespace,
  Node,
  Pod,
  Service,
  ServicePort,
  SliceEndpoint,
} from '../tables/intent.ts'
import { Field } from './fields.ts'

export interface Converted<Row> {
  /** Absent: the object is fine and asks nothing of a node. */
  readonly row?: Row
  /** What the object asks for and does not get, a sentence each. */
  readonly notes?: readonly string[]
}

const SERVICE_NAME = 'kubernetes.io/service-name'
/** Labels by which somebody else serves the Service, or nobody does. */
const NOT_OURS = ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless']

/** "Service default/web", as messages call it; also for objects whose metadata is broken. */
export function describeObject(kind: string, object: unknown): string {
  const { metadata } = (object ?? {}) as { metadata?: { name?: unknown; namespace?: unknown } }
  const { name, namespace } = metadata ?? {}
  if (typeof name !== 'string' || name === '') return `${kind} without a name`
  if (kind === 'Node' || kind === 'Namespace') return `${kind} ${name}`
  return `${kind} ${typeof namespace === 'string' ? namespace : 'default'}/${name}`
}

export function nodeRow(object: V1Node): Converted<Node> {
  const node = Field.of(describeObject('Node', object), object)
  const metadata = node.get('metadata')
  const addresses = node.get('status').get('addresses')
  const internal = addresses.items().filter((item) => item.get('type').text('') === 'InternalIP')
  return {
    row: {
      name: readName(metadata),
      addresses: unique(internal.map((item) => item.get('address').address())),
      podCidrs: readPodCidrs(node.get('spec')),
      labels: metadata.get('labels').labels(),
    },
  }
}

function readPodCidrs(spec: Field<V1Node['spec']>): readonly Prefix[] {
  const podCidrs = spec.get('podCIDRs').items()
  if (podCidrs.length > 0) return unique(podCidrs.map((item) => item.prefix()))
  const podCidr = spec.get('podCIDR')
  return podCidr.absent || podCidr.value === '' ? [] : [podCidr.prefix()]
}

export function namespaceRow(object: V1Namespace): Converted<Namespace> {
  const metadata = Field.of(describeObject('Namespace', object), object).get('metadata')
  return { row: { name: readName(metadata), labels: metadata.get('labels').labels() } }
}

/** A pod that has ended gives its addresses back, though its status still shows them. */
export function podRow(object: V1Pod): Converted<Pod> {
  const pod = Field.of(describeObject('Pod', object), object)
  const metadata = pod.get('metadata')
  const spec = pod.get('spec')
  const status = pod.get('status')
  const ended = ['Succeeded', 'Failed'].includes(status.get('phase').text(''))
  return {
    row: {
      namespace: readNamespace(metadata),
      name: readName(metadata),
      nodeName: spec.get('nodeName').text(''),
      hostNetwork: spec.get('hostNetwork').flag(false),
      addresses: ended ? [] : readPodAddresses(status),
      labels: metadata.get('labels').labels(),
    },
  }
}

function readPodAddresses(status: Field<V1Pod['status']>): readonly Address[] {
  const podIps = status.get('podIPs').items()
  if (podIps.length > 0) return unique(podIps.map((item) => item.get('ip').address()))
  const podIp = status.get('podIP')
  return podIp.absent || podIp.value === '' ? [] : [podIp.address()]
}

export function serviceRow(object: V1Service): Converted<Service> {
  const service = Field.of(describeObject('Service', object), object)
  const metadata = service.get('metadata')
  const spec = service.get('spec')
  const identity = { namespace: readNamespace(metadata), name: readName(metadata) }
  const labels = metadata.get('labels').labels()
  if (NOT_OURS.some((label) => Object.hasOwn(labels, label))) return {}
  if (spec.get('type').text('ClusterIP') === 'ExternalName') return {}
  const clusterIps = readClusterIps(spec)
  if (clusterIps.length === 0) return {}
  const ports = readServicePorts(spec.get('ports'))
  const unsupported = ports.filter(({ protocol }) => protocol === 'SCTP')
  return {
    row: { ...identity, clusterIps, ports },
    notes: unsupported.map(
      ({ port }) =>
        `Service ${identity.namespace}/${identity.name}: port ${port}/SCTP is not served, ` +
        'for SCTP is not supported',
    ),
  }
}

/** Empty for a headless Service. */
function readClusterIps(spec: Field<V1Service['spec']>): readonly Address[] {
  const clusterIp = spec.get('clusterIP')
  const list = spec.get('clusterIPs').items()
  const first = list[0] ?? clusterIp
  if (first.value === 'None') return []
  if (first.absent || first.value === '') {
    clusterIp.fail('is missing; give the Service an address, or None to make it headless')
  }
  return unique((list.length > 0 ? list : [clusterIp]).map((item) => item.address()))
}

function readServicePorts(list: Field<NonNullable<V1Service['spec']>['ports']>): ServicePort[] {
  const items = list.items()
  if (items.length === 0) list.is('give at least one port')
  const names = new Set<string>()
  const numbers = new Set<string>()
  return items.map((item) => {
    const name = item.get('name').text('')
    const port = item.get('port').port()
    const protocol = item.get('protocol').protocol()
    if (name === '' && items.length > 1)
      item.get('name').is('name each port when there are several')
    if (names.has(name)) item.get('name').is('another port has this name; give each its own')
    if (numbers.has(`${port}/${protocol}`)) {
      item.get('port').is(`another ${protocol} port has this number; give each its own`)
    }
    names.add(name)
    numbers.add(`${port}/${protocol}`)
    return { name, protocol, port }
  })
}

/** No row for slices of DNS names and for those that belong to no Service. */
export function endpointSliceRow(object: V1EndpointSlice): Converted<EndpointSlice> {
  const slice = Field.of(describeObject('EndpointSlice', object), object)
  const metadata = slice.get('metadata')
  const addressType = slice.get('addressType')
  const identity = { namespace: readNamespace(metadata), name: readName(metadata) }
  const service = metadata.get('labels').labels()[SERVICE_NAME]
  if (addressType.value === 'FQDN' || !service) return {}
  if (addressType.value !== 'IPv4' && addressType.value !== 'IPv6') {
    addressType.is('give IPv4, IPv6 or FQDN')
  }
  // A slice's port without a number means "all ports" and is no use to a Service.
  const numbered = slice
    .get('ports')
    .items()
    .filter((item) => !item.get('port').absent)
  return {
    row: {
      ...identity,
      service,
      ports: numbered.map((item) => ({
        name: item.get('name').text(''),
        protocol: item.get('protocol').protocol(),
        port: item.get('port').port(),
      })),
      endpoints: slice.get('endpoints').items().flatMap(readEndpoint),
    },
  }
}

/**
 * Only the first address counts (the others stand for the same endpoint). Left-out conditions mean
 * ready.
 */
function readEndpoint(item: Field<V1Endpoint>): SliceEndpoint[] {
  const first = item.get('addresses').items()[0]
  if (!first) return []
  const conditions = item.get('conditions')
  const nodeName = item.get('nodeName').optionalText()
  const zone = item.get('zone').optionalText()
  return [
    {
      address: first.address(),
      ready: conditions.get('ready').flag(true),
      serving: conditions.get('serving').flag(true),
      terminating: conditions.get('terminating').flag(false),
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(zone === undefined ? {} : { zone }),
    },
  ]
}

function readName(metadata: Field<V1ObjectMeta | undefined>): string {
  return readDnsName(metadata.get('name'))
}

function readNamespace(metadata: Field<V1ObjectMeta | undefined>): string {
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

function unique<T>(values: readonly T[]): readonly T[] {
  return values.length > 1 ? [...new Set(values)] : values
}
