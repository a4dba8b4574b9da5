// What the derivations know of this node beside the tables: fixed while the agent runs.
import type { Prefix } from '../net/prefix.ts'
import type { Routing } from '../tables/desired.ts'

export interface ControlSettings {
  /** Name of this node's row in `nodes`. */
  readonly nodeName: string
  readonly routing: Routing | 'auto'
  /**
   * What the uplinks' own addresses are on-link with: a node with an address inside is a neighbour.
   */
  readonly onLinkPrefixes: readonly Prefix[]
}
