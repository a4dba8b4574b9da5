// Services to what a cluster makes of them: cluster addresses, and EndpointSlices from selectors,
// one set a family, named target ports looked up in each pod. Pure.
import { type Address, addressFamily, type Family, parseAddress } from '../../net/address.ts'
import { type Prefix, prefixNth, prefixSize } from '../../net/prefix.ts'
import type { PodPort, PodRecord } from '../record.ts'
import { type Exposure, exposureOf, hasNodePorts, NodePorts, PASSED_FIELDS } from './exposure.ts'
import type { Notes } from './notes.ts'
import { type Fields, fieldsOf, type KubeObject, listOf, stringsOf } from './read.ts'

export interface PlannedPort {
  readonly name: string
  readonly port: number
  readonly protocol: 'TCP' | 'UDP'
  readonly targetPort: number | string
  readonly nodePort?: number
}

export interface PlannedService extends Exposure {
  readonly namespace: string
  readonly name: string
  readonly headless: boolean
  readonly families: readonly Family[]
  readonly clusterIps: readonly Address[]
  readonly selector: Readonly<Record<string, string>>
  readonly ports: readonly PlannedPort[]
}

export interface PlannedSlice {
  readonly namespace: string
  readonly name: string
  readonly service: string
  readonly family: Family
  readonly ports: readonly PodPort[]
  readonly pods: readonly Pick<PodRecord, 'name' | 'node' | 'addresses'>[]
}

/** Kubernetes puts at most this many endpoints into a slice. */
const SLICE_SIZE = 100

const SPEC_FIELDS = new Set([
  'selector',
  'ports',
  'clusterIP',
  'clusterIPs',
  'type',
  'ipFamilies',
  'ipFamilyPolicy',
  ...PASSED_FIELDS,
])
const PORT_FIELDS = new Set(['name', 'port', 'targetPort', 'protocol', 'nodePort'])

export interface ServiceRanges {
  readonly ipv4?: Prefix
  readonly ipv6?: Prefix
}

/** Services of the objects; `before` keeps the addresses that were given out earlier. */
export function planServices(
  objects: readonly KubeObject[],
  before: readonly PlannedService[],
  ranges: ServiceRanges,
  notes: Notes,
): PlannedService[] {
  const services = objects.filter(({ kind }) => kind === 'Service')
  const asked = services.flatMap((object) => askedAddresses(object))
  const taken = new Set<string>([...asked, ...before.flatMap(({ clusterIps }) => clusterIps)])
  const nodePorts = new NodePorts([
    ...services.flatMap(({ body }) => askedNodePorts(body)),
    ...before.flatMap(({ ports }) => ports.flatMap(({ nodePort }) => nodePort ?? [])),
  ])
  return services.flatMap((object) => {
    const old = before.find(
      ({ namespace, name }) => namespace === object.namespace && name === object.name,
    )
    const planned = planService(object, old, ranges, taken, notes)
    return planned ? [withNodePorts(planned, old, nodePorts)] : []
  })
}

function askedNodePorts(body: Fields): number[] {
  return listOf(fieldsOf(body, 'spec'), 'ports').flatMap(({ nodePort }) => Number(nodePort) || [])
}

/** Each port's node port: the one asked for, the one it had, or a new one. */
function withNodePorts(
  service: PlannedService,
  old: PlannedService | undefined,
  nodePorts: NodePorts,
): PlannedService {
  if (!hasNodePorts(service)) return service
  const ports = service.ports.map((port) => {
    const before = old?.ports.find(
      ({ port: number, protocol }) => number === port.port && protocol === port.protocol,
    )
    return { ...port, nodePort: port.nodePort ?? before?.nodePort ?? nodePorts.next() }
  })
  return { ...service, ports }
}

function planService(
  object: KubeObject,
  old: PlannedService | undefined,
  ranges: ServiceRanges,
  taken: Set<string>,
  notes: Notes,
): PlannedService | undefined {
  const spec = fieldsOf(object.body, 'spec')
  const type = String(spec['type'] ?? 'ClusterIP')
  notes.unknownFields('Service.spec', spec, SPEC_FIELDS)
  if (type === 'ExternalName') {
    notes.add('Service of type ExternalName')
    return undefined
  }
  const asked = askedAddresses(object)
  const headless = spec['clusterIP'] === 'None'
  const families = familiesOf(object, asked, ranges, notes)
  const clusterIps = headless
    ? []
    : families.map((family) => {
        const given = [...asked, ...(old?.clusterIps ?? [])]
        return (
          given.find((ip) => addressFamily(ip) === family) ?? freeAddress(ranges, family, taken)
        )
      })
  return {
    ...exposureOf(object),
    namespace: object.namespace,
    name: object.name,
    headless,
    families,
    clusterIps,
    selector: stringsOf(spec, 'selector'),
    ports: listOf(spec, 'ports').flatMap((port, at) => planPort(object, port, at, notes)),
  }
}

function planPort(object: KubeObject, port: Fields, at: number, notes: Notes): PlannedPort[] {
  notes.unknownFields('Service.spec.ports', port, PORT_FIELDS)
  const number = portNumber(object, `spec.ports[${at}].port`, port['port'])
  const protocol = String(port['protocol'] ?? 'TCP')
  if (protocol !== 'TCP' && protocol !== 'UDP') {
    notes.add(`Service port of protocol ${protocol}`)
    return []
  }
  const target = port['targetPort'] ?? number
  const targetPort = /^\d+$/.test(String(target))
    ? portNumber(object, `spec.ports[${at}].targetPort`, target)
    : String(target)
  const nodePort = Number(port['nodePort']) || undefined
  const name = String(port['name'] ?? '')
  return [{ name, port: number, protocol, targetPort, ...(nodePort ? { nodePort } : {}) }]
}

function askedAddresses(object: KubeObject): Address[] {
  const spec = fieldsOf(object.body, 'spec')
  const several = Array.isArray(spec['clusterIPs']) ? spec['clusterIPs'] : []
  const texts = [spec['clusterIP'], ...several].filter(
    (text) => typeof text === 'string' && text !== '' && text !== 'None',
  )
  return [...new Set(texts.map((text) => address(object, String(text))))]
}

function address(object: KubeObject, text: string): Address {
  try {
    return parseAddress(text)
  } catch {
    return refuse(object, `spec.clusterIP "${text}" is not an IPv4 or IPv6 address`)
  }
}

function portNumber(object: KubeObject, field: string, value: unknown): number {
  const port = Number(value)
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port
  return refuse(object, `${field} is ${JSON.stringify(value)}; give it a number from 1 to 65535`)
}

function refuse({ source, namespace, name }: KubeObject, fault: string): never {
  throw new Error(`Cannot use Service ${namespace}/${name} (${source}): ${fault}`)
}

/** ipFamilies and ipFamilyPolicy as Kubernetes reads them, within what the lab has. */
function familiesOf(
  object: KubeObject,
  asked: readonly Address[],
  ranges: ServiceRanges,
  notes: Notes,
): Family[] {
  const spec = fieldsOf(object.body, 'spec')
  const present: Family[] = [
    ...(ranges.ipv4 ? [4 as const] : []),
    ...(ranges.ipv6 ? [6 as const] : []),
  ]
  const named = Array.isArray(spec['ipFamilies']) ? spec['ipFamilies'].map(String) : []
  const wanted: Family[] = [
    ...asked.map(addressFamily),
    ...named.map((name) => (name === 'IPv6' ? (6 as const) : (4 as const))),
    ...present,
  ]
  const ordered = [...new Set(wanted)].filter((family) => present.includes(family))
  const policy = String(spec['ipFamilyPolicy'] ?? 'SingleStack')
  const both = policy !== 'SingleStack' || named.length > 1 || asked.length > 1
  if (policy === 'RequireDualStack' && present.length < 2) {
    notes.add('Service.spec.ipFamilyPolicy RequireDualStack (this lab has one family)')
  }
  return both ? ordered : ordered.slice(0, 1)
}

/** The first free address of the family's range, as many as the range has. */
function freeAddress(ranges: ServiceRanges, family: Family, taken: Set<string>): Address {
  const range = family === 4 ? ranges.ipv4 : ranges.ipv6
  // .1 is the API server's in a cluster and .10 its DNS: people's manifests may name those.
  for (let index = 11n; range && index < prefixSize(range) - 1n; index++) {
    const address = prefixNth(range, index)
    if (taken.has(address)) continue
    taken.add(address)
    return address
  }
  throw new Error(`Cannot give a Service an IPv${family} address: none is free`)
}

/** True if the pod has every label of a non-empty selector. */
export function selects(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(selector)
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value)
}

/** The slices of a Service: per family and per set of pod ports, at most 100 endpoints each. */
export function planSlices(service: PlannedService, pods: readonly PodRecord[]): PlannedSlice[] {
  const chosen = pods.filter(
    ({ namespace, labels }) => namespace === service.namespace && selects(service.selector, labels),
  )
  return service.families.flatMap((family) => {
    const reachable = chosen.filter(({ addresses }) =>
      addresses.some((address) => addressFamily(address) === family),
    )
    const groups = Map.groupBy(reachable, (pod) => JSON.stringify(resolvePorts(service, pod)))
    return [...groups].flatMap(([ports, members], group) =>
      Array.from({ length: Math.ceil(members.length / SLICE_SIZE) }, (_, part) => ({
        namespace: service.namespace,
        name: `${service.name}-ipv${family}-${group}-${part}`,
        service: service.name,
        family,
        ports: JSON.parse(ports) as PodPort[],
        pods: members.slice(part * SLICE_SIZE, (part + 1) * SLICE_SIZE),
      })),
    )
  })
}

/**
 * A named target port is whatever the pod's containers call so; a pod without it lacks the port.
 */
function resolvePorts(service: PlannedService, pod: Pick<PodRecord, 'ports'>): PodPort[] {
  return service.ports.flatMap(({ name, protocol, targetPort }) => {
    if (typeof targetPort === 'number') return [{ name, protocol, port: targetPort }]
    const found = pod.ports.find((port) => port.name === targetPort && port.protocol === protocol)
    return found ? [{ name, protocol, port: found.port }] : []
  })
}

/**
 * Ports on which a pod must listen beyond its declared ones, because Services aim at them by
 * number.
 */
export function aimedPorts(
  services: readonly PlannedService[],
  pod: Pick<PodRecord, 'namespace' | 'labels'>,
): PodPort[] {
  return services
    .filter(
      ({ namespace, selector }) => namespace === pod.namespace && selects(selector, pod.labels),
    )
    .flatMap(({ ports }) =>
      ports.flatMap(({ targetPort, protocol }) =>
        typeof targetPort === 'number' ? [{ name: '', port: targetPort, protocol }] : [],
      ),
    )
}
