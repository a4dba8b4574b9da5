// Services, EndpointSlices and ServiceCIDRs to intent rows.
import type {
  V1Endpoint,
  V1EndpointSlice,
  V1ObjectMeta,
  V1Service,
  V1ServiceCIDR,
} from '@kubernetes/client-node'
import type { Address } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import type {
  EndpointSlice,
  Service,
  ServiceCidr,
  ServicePort,
  SliceEndpoint,
  TrafficPolicy,
} from '../tables/intent.ts'
import { BALANCINGS, FORWARDINGS } from '../tables/services.ts'
import { Field } from './fields.ts'
import { type Converted, describeObject, readName, readNamespace, unique } from './metadata.ts'

const SERVICE_NAME = 'kubernetes.io/service-name'
const CHANGE_TIME = 'endpoints.kubernetes.io/last-change-trigger-time'
/** Labels by which somebody else serves the Service, or nobody does. */
const NOT_OURS = ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless']

/** One for all: a hundred thousand endpoints have no hints. */
const NONE: readonly never[] = []

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
  const notes = ports.flatMap(({ protocol, port }) =>
    protocol === 'SCTP' ? [`port ${port}/SCTP is not served, for SCTP is not supported`] : [],
  )
  return {
    row: {
      ...identity,
      uid: metadata.get('uid').text(''),
      clusterIps,
      ports,
      ...readOutsideAddresses(service),
      ...readPolicies(spec),
      affinitySeconds: readAffinity(spec),
      ...readWays(metadata, notes),
    },
    notes: notes.map((note) => `Service ${identity.namespace}/${identity.name}: ${note}`),
  }
}

/** Where the Service is reached beside its cluster addresses and node ports. */
function readOutsideAddresses(service: Field<V1Service>) {
  const spec = service.get('spec')
  // A load balancer of mode Proxy forwards by itself: its addresses are not to be short-cut.
  const ingress = service
    .get('status')
    .get('loadBalancer')
    .get('ingress')
    .items()
    .filter((item) => item.get('ip').text('') !== '' && item.get('ipMode').text('') !== 'Proxy')
  return {
    externalIps: readAddresses(spec.get('externalIPs').items()),
    loadBalancerIps: readAddresses(ingress.map((item) => item.get('ip'))),
    sourceRanges: readPrefixes(spec.get('loadBalancerSourceRanges').items()),
  }
}

function readPolicies(
  spec: Field<V1Service['spec']>,
): Pick<Service, 'internalTrafficPolicy' | 'externalTrafficPolicy' | 'healthCheckNodePort'> {
  const type = spec.get('type').text('ClusterIP')
  const isOutside = type !== 'ClusterIP' || spec.get('externalIPs').items().length > 0
  const external = isOutside ? readPolicy(spec.get('externalTrafficPolicy')) : 'Cluster'
  const isChecked = type === 'LoadBalancer' && external === 'Local'
  return {
    internalTrafficPolicy: readPolicy(spec.get('internalTrafficPolicy')),
    externalTrafficPolicy: external,
    healthCheckNodePort: isChecked ? readOptionalPort(spec.get('healthCheckNodePort')) : 0,
  }
}

function readPolicy(field: Field<string | undefined>): TrafficPolicy {
  const text = field.text('') || 'Cluster'
  if (text !== 'Cluster' && text !== 'Local') field.is('give Cluster or Local')
  return text as TrafficPolicy
}

/** Three hours where the Service does not say. */
function readAffinity(spec: Field<V1Service['spec']>): number {
  const affinity = spec.get('sessionAffinity')
  const text = affinity.text('') || 'None'
  if (text === 'None') return 0
  if (text !== 'ClientIP') affinity.is('give None or ClientIP')
  const timeout = spec.get('sessionAffinityConfig').get('clientIP').get('timeoutSeconds')
  return timeout.absent ? 10_800 : timeout.integer(1, 86_400)
}

/** What is no known way is noted, and the agent's own holds. */
function readWays(
  metadata: Field<V1ObjectMeta | undefined>,
  notes: string[],
): Pick<Service, 'balancing' | 'forwarding'> {
  const annotations = (metadata.value as V1ObjectMeta | undefined)?.annotations ?? {}
  const choose = <Way extends string>(name: string, ways: readonly Way[]): Way | undefined => {
    const text = annotations[name]
    const way = ways.find((known) => known === text)
    if (text !== undefined && !way) {
      notes.push(
        `annotation ${name} is "${text}" and counts for nothing; give ${ways.join(' or ')}`,
      )
    }
    return way
  }
  const balancing = choose('weir.io/balancing', BALANCINGS)
  const forwarding = choose('weir.io/forwarding', FORWARDINGS)
  return { ...(balancing ? { balancing } : {}), ...(forwarding ? { forwarding } : {}) }
}

function readAddresses(items: readonly Field<string | undefined>[]): readonly Address[] {
  return items.length === 0 ? NONE : unique(items.map((item) => item.address()))
}

function readPrefixes(items: readonly Field<string>[]): readonly Prefix[] {
  return items.length === 0 ? NONE : unique(items.map((item) => item.prefix()))
}

function readOptionalPort(field: Field<number | undefined>): number {
  return field.absent || field.value === 0 ? 0 : field.port()
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
    return { name, protocol, port, nodePort: readOptionalPort(item.get('nodePort')) }
  })
}

/** No row for slices of DNS names and for those that belong to no Service. */
export function endpointSliceRow(object: V1EndpointSlice): Converted<EndpointSlice> {
  const slice = Field.of(describeObject('EndpointSlice', object), object)
  const metadata = slice.get('metadata')
  const addressType = slice.get('addressType')
  const identity = { namespace: readNamespace(metadata), name: readName(metadata) }
  const changedAt = readChangeTime(metadata)
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
      ...(changedAt === undefined ? {} : { changedAt }),
    },
  }
}

/** What the controller says of when the pod or Service changed; nonsense is as if not said. */
function readChangeTime(metadata: Field<V1ObjectMeta | undefined>): number | undefined {
  const { annotations } = (metadata.value ?? {}) as V1ObjectMeta
  const time = Date.parse(annotations?.[CHANGE_TIME] ?? '')
  return Number.isFinite(time) ? time : undefined
}

/**
 * Only the first address counts (the others stand for the same endpoint). Left-out conditions mean
 * ready.
 */
function readEndpoint(item: Field<V1Endpoint>): SliceEndpoint[] {
  const first = item.get('addresses').items()[0]
  if (!first) return []
  const conditions = item.get('conditions')
  return [
    {
      address: first.address(),
      ready: conditions.get('ready').flag(true),
      serving: conditions.get('serving').flag(true),
      terminating: conditions.get('terminating').flag(false),
      nodeName: item.get('nodeName').text(''),
      zone: item.get('zone').text(''),
      hintedZones: readHints(item.get('hints').get('forZones').items()),
      hintedNodes: readHints(item.get('hints').get('forNodes').items()),
    },
  ]
}

function readHints(items: readonly Field<{ name: string }>[]): readonly string[] {
  return items.length === 0 ? NONE : items.map((item) => item.get('name').text())
}

export function serviceCidrRow(object: V1ServiceCIDR): Converted<ServiceCidr> {
  const range = Field.of(describeObject('ServiceCIDR', object), object)
  const prefixes = readPrefixes(range.get('spec').get('cidrs').items())
  return { row: { name: readName(range.get('metadata')), prefixes } }
}
