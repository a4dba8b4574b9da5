// One Service and its slices to frontends: its cluster addresses, load balancer addresses, external
// addresses and node ports. A port without a usable endpoint keeps its frontends, so that
// connections are refused and not routed away.
import { type Address, addressFamily, type Family } from '../net/address.ts'
import { prefixFamily } from '../net/prefix.ts'
import type { Backend, Frontend, FrontendKind, WhenEmpty } from '../tables/desired.ts'
import type { EndpointSlice, Service, ServicePort, TrafficPolicy } from '../tables/intent.ts'
import { type EndpointSets, endpointSets } from './endpoint-sets.ts'
import type { ServiceSettings } from './settings.ts'
import type { Site } from './site.ts'

export interface ServiceContext {
  readonly site: Site
  readonly settings: ServiceSettings
}

/** An address and port where the Service is reached. */
interface Place {
  readonly kind: FrontendKind
  readonly address: Address
  readonly port: number
}

/** In order of precedence where two are the same. SCTP ports have no frontend. */
export function serviceFrontends(
  service: Service,
  slices: readonly EndpointSlice[],
  context: ServiceContext,
): readonly Frontend[] {
  const sorted = [...slices].sort((a, b) => (a.name < b.name ? -1 : 1))
  return service.ports.flatMap((port) => {
    if (port.protocol === 'SCTP') return []
    const sets = new Map<Family, EndpointSets>()
    return placesOf(service, port, context).map((place) => {
      const family = addressFamily(place.address)
      const known = sets.get(family) ?? endpointSets(port, sorted, family, context.site)
      sets.set(family, known)
      return frontendAt(place, service, port, known, context.settings)
    })
  })
}

/** A Service is of the families that it has cluster addresses of, whatever else it names. */
function placesOf(
  { clusterIps, loadBalancerIps, externalIps }: Service,
  { port, nodePort }: ServicePort,
  { site, settings }: ServiceContext,
): Place[] {
  const families = clusterIps.map(addressFamily)
  const at = (kind: FrontendKind, addresses: readonly Address[], number = port) =>
    addresses
      .filter((address) => families.includes(addressFamily(address)))
      .map((address) => ({ kind, address, port: number }))
  return [
    ...at('ClusterIP', clusterIps),
    ...at('LoadBalancer', loadBalancerIps),
    ...at('ExternalIP', settings.externalIps ? externalIps : []),
    ...at('NodePort', nodePort > 0 ? site.nodePortAddresses : [], nodePort),
  ]
}

/**
 * The internal policy is for cluster addresses alone. Elsewhere a client inside may have every
 * endpoint, whatever the external policy says: it is no load balancer that would try another node.
 */
function frontendAt(
  { kind, address, port }: Place,
  service: Service,
  { name, protocol }: ServicePort,
  sets: EndpointSets,
  settings: ServiceSettings,
): Frontend {
  const isInternal = kind === 'ClusterIP'
  const inside = choose(sets, isInternal ? service.internalTrafficPolicy : 'Cluster')
  const outside = isInternal ? inside : choose(sets, service.externalTrafficPolicy)
  return {
    address,
    port,
    protocol,
    service: `${service.namespace}/${service.name}`,
    portName: name,
    kind,
    backends: inside.backends,
    externalBackends: outside.backends,
    whenEmpty: inside.whenEmpty,
    externalWhenEmpty: outside.whenEmpty,
    affinitySeconds: service.affinitySeconds,
    balancing: service.balancing ?? settings.balancing,
    forwarding: service.forwarding ?? settings.forwarding,
    ...(kind === 'LoadBalancer' ? sourceRangesFor(service, addressFamily(address)) : {}),
    ...othersBeside(sets, [...inside.backends, ...outside.backends]),
  }
}

function othersBeside({ all }: EndpointSets, chosen: readonly Backend[]): Pick<Frontend, 'others'> {
  if (all.length === 0) return {}
  const name = ({ address, port }: Backend): string => `${address} ${port}`
  const names = new Set(chosen.map(name))
  const others = all.filter((each) => !names.has(name(each)))
  return others.length > 0 ? { others } : {}
}

/** Silence where another node has endpoints: a load balancer tries again there. */
function choose({ cluster, local, any }: EndpointSets, policy: TrafficPolicy) {
  const isLocal = policy === 'Local'
  const whenEmpty: WhenEmpty = isLocal && any ? 'drop' : 'refuse'
  return { backends: isLocal ? local : cluster, whenEmpty }
}

/** Ranges of the other family alone let nobody in: a restriction is never void. */
function sourceRangesFor({ sourceRanges }: Service, family: Family) {
  if (sourceRanges.length === 0) return {}
  return { sourceRanges: sourceRanges.filter((prefix) => prefixFamily(prefix) === family) }
}
