// The ports where load balancers ask: one for the node as a whole, and one for each Service that
// has a healthCheckNodePort.
import type { Derivation } from '../state/derive.ts'
import type { HealthCheck } from '../tables/desired.ts'
import type { Node, Service } from '../tables/intent.ts'
import type { Tables } from '../tables/tables.ts'
import type { ControlSettings } from './settings.ts'
import { siteOf, siteText } from './site.ts'

/** The group of the node's own port; no Service is called so. */
const NODE = 'the node itself'

export function healthChecksDerivation(
  { nodes, services, healthChecks }: Tables,
  settings: ControlSettings,
): Derivation<HealthCheck> {
  const { nodePortAddresses, healthz } = settings.services
  const asked = (): string[] =>
    [...services.rows()].filter(({ healthCheckNodePort: port }) => port > 0).map(services.keyOf)
  return {
    inputs: [
      { table: services, groupsOf: (row: Service) => [services.keyOf(row)] },
      {
        table: nodes,
        groupsOf: ({ name }: Node) => (name === settings.nodeName ? asked() : []),
        partOf: siteText,
      },
    ],
    constant: [NODE],
    compute: (group) => {
      if (group === NODE) return [{ port: healthz.port, addresses: [healthz.host] }]
      const port = services.get(group)?.healthCheckNodePort ?? 0
      if (port === 0) return []
      const site = siteOf(nodes.get(settings.nodeName), settings)
      // As kube-proxy: where no address was chosen, on all of them.
      const chosen = nodePortAddresses.length > 0 ? site.nodePortAddresses : ['::']
      return chosen.length > 0 ? [{ port, addresses: chosen, service: group }] : []
    },
    output: healthChecks,
    // Nobody takes the node's own port.
    rankOf: ({ service }) => (service === undefined ? 0 : 1),
  }
}
