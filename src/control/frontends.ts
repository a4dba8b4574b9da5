// Services and their EndpointSlices to frontends: one per cluster IP and port. A Service without a
// usable endpoint keeps its frontends, so that connections are refused and not routed away.
import { addressFamily, type Family } from '../net/address.ts'
import type { Derivation } from '../state/derive.ts'
import type { Backend, Frontend } from '../tables/desired.ts'
import type { EndpointSlice, Service, ServicePort, SliceEndpoint } from '../tables/intent.ts'
import type { Tables } from '../tables/tables.ts'

/**
 * Keeps `frontends` equal to what services and endpointSlices ask for; a group is "namespace/name".
 */
export function frontendsDerivation({
  services,
  endpointSlices,
  frontends,
}: Tables): Derivation<Frontend> {
  return {
    inputs: [
      { table: services, groupsOf: (row: Service) => [services.keyOf(row)] },
      {
        table: endpointSlices,
        groupsOf: ({ namespace, service }: EndpointSlice) => [`${namespace}/${service}`],
      },
    ],
    compute: (group) => {
      const service = services.get(group)
      return service ? serviceFrontends(service, [...endpointSlices.byIndex('service', group)]) : []
    },
    output: frontends,
  }
}

/** The frontends of one Service, given its slices in any order. SCTP ports have none yet. */
export function serviceFrontends(
  service: Service,
  slices: readonly EndpointSlice[],
): readonly Frontend[] {
  const frontends: Frontend[] = []
  for (const port of service.ports) {
    if (port.protocol === 'SCTP') continue
    for (const address of service.clusterIps) {
      const backends = portBackends(port, slices, addressFamily(address))
      frontends.push({
        address,
        port: port.port,
        protocol: port.protocol,
        service: `${service.namespace}/${service.name}`,
        portName: port.name,
        kind: 'ClusterIP',
        backends,
        externalBackends: backends,
        whenEmpty: 'refuse',
        externalWhenEmpty: 'refuse',
        affinitySeconds: service.affinitySeconds,
        balancing: service.balancing ?? 'random',
        forwarding: service.forwarding ?? 'snat',
      })
    }
  }
  return frontends
}

/**
 * The endpoints that a port's new connections may get, as kube-proxy's CategorizeEndpoints has it
 * for the policy Cluster, each family by itself: the ready ones, or, when there is none, those that
 * still serve while they terminate. The port number is each slice's own. An endpoint in two slices
 * is ready when either says so.
 */
function portBackends(
  { name, protocol }: ServicePort,
  slices: readonly EndpointSlice[],
  family: Family,
): readonly Backend[] {
  const ready = new Map<string, Backend>()
  const leaving = new Map<string, Backend>()
  for (const slice of slices) {
    for (const port of slice.ports) {
      if (port.name !== name || port.protocol !== protocol) continue
      for (const endpoint of slice.endpoints) {
        if (addressFamily(endpoint.address) !== family) continue
        const usable = endpoint.ready ? ready : isLeaving(endpoint) ? leaving : undefined
        const backend = { address: endpoint.address, port: port.port }
        usable?.set(`${backend.address} ${backend.port}`, backend)
      }
    }
  }
  return [...(ready.size > 0 ? ready : leaving).values()].sort(byAddressAndPort)
}

function isLeaving({ serving, terminating }: SliceEndpoint): boolean {
  return serving && terminating
}

function byAddressAndPort(a: Backend, b: Backend): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1
  return a.port - b.port
}
