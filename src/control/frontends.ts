// Services with their EndpointSlices, and pods with host ports, to frontends: everything that new
// connections are translated by.
import type { Derivation } from '../state/derive.ts'
import type { Frontend, FrontendKind } from '../tables/desired.ts'
import type { Endpoint, EndpointSlice, Node, Service } from '../tables/intent.ts'
import type { Tables } from '../tables/tables.ts'
import { hostPortFrontends } from './host-ports.ts'
import { serviceFrontends } from './service-frontends.ts'
import type { ControlSettings } from './settings.ts'
import { siteOf, siteText } from './site.ts'

/**
 * Who has an address and port that two ask for. A cluster address comes first, so that nobody takes
 * another's by an external address (CVE-2020-8554); among equals the first by name.
 */
const RANKS: readonly FrontendKind[] = [
  'ClusterIP',
  'LoadBalancer',
  'ExternalIP',
  'NodePort',
  'HostPort',
]

/** Groups of pods are "pod namespace/name KEY"; those of Services "namespace/name". */
const POD = 'pod '

/**
 * Keeps `frontends` equal to what Services and host ports ask for. This node's addresses and zone
 * concern all of them.
 */
export function frontendsDerivation(
  { nodes, services, endpointSlices, endpoints, frontends }: Tables,
  settings: ControlSettings,
): Derivation<Frontend> {
  const podGroup = (row: Endpoint): string =>
    `${POD}${row.podNamespace}/${row.podName} ${endpoints.keyOf(row)}`
  const everything = (): string[] => [
    ...[...services.rows()].map(services.keyOf),
    ...[...endpoints.rows()].filter(({ hostPorts }) => hostPorts.length > 0).map(podGroup),
  ]
  return {
    inputs: [
      { table: services, groupsOf: (row: Service) => [services.keyOf(row)] },
      {
        table: endpointSlices,
        groupsOf: ({ namespace, service }: EndpointSlice) => [`${namespace}/${service}`],
      },
      {
        table: endpoints,
        groupsOf: (row: Endpoint) => (row.hostPorts.length > 0 ? [podGroup(row)] : []),
      },
      {
        table: nodes,
        groupsOf: ({ name }: Node) => (name === settings.nodeName ? everything() : []),
        partOf: siteText,
      },
    ],
    compute: (group) => {
      const site = siteOf(nodes.get(settings.nodeName), settings)
      if (group.startsWith(POD)) {
        const endpoint = endpoints.get(group.slice(group.indexOf(' ', POD.length) + 1))
        return endpoint ? hostPortFrontends(endpoint, site) : []
      }
      const service = services.get(group)
      if (!service) return []
      const slices = [...endpointSlices.byIndex('service', group)]
      return serviceFrontends(service, slices, { site, settings: settings.services })
    },
    output: frontends,
    rankOf: ({ kind }) => RANKS.indexOf(kind),
  }
}
