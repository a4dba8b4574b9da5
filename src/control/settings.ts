// What the derivations know of this node beside the tables: fixed while the agent runs.
import type { Prefix } from '../net/prefix.ts'
import type { Routing } from '../tables/desired.ts'
import type { Balancing, Forwarding, NodePortAddresses } from '../tables/services.ts'

export interface ControlSettings {
  /** Name of this node's row in `nodes`. */
  readonly nodeName: string
  readonly routing: Routing | 'auto'
  /**
   * What the uplinks' own addresses are on-link with: a node with an address inside is a neighbour.
   */
  readonly onLinkPrefixes: readonly Prefix[]
  readonly services: ServiceSettings
}

export interface ServiceSettings {
  /** For Services that do not say. */
  readonly balancing: Balancing
  readonly forwarding: Forwarding
  readonly nodePortAddresses: NodePortAddresses
  /** NodePorts on the loopback addresses too. */
  readonly nodePortLocalhost: boolean
  /** spec.externalIPs are served. */
  readonly externalIps: boolean
  /** Where the node itself is asked about. */
  readonly healthz: { readonly host: string; readonly port: number }
}

/** As an agent without settings has it. */
export const SERVICE_DEFAULTS: ServiceSettings = {
  balancing: 'random',
  forwarding: 'snat',
  nodePortAddresses: [],
  nodePortLocalhost: false,
  externalIps: true,
  healthz: { host: '::', port: 10_256 },
}
