// The way from this node to another one's prefix: by VXLAN, or natively to the node's own address.
// destinations.ts and node-routes.ts both ask here, so that programs and host routes cannot
// disagree.
import { type Address, addressFamily, type Family } from '../net/address.ts'
import { hostPrefix, type Prefix, prefixContains, prefixFamily } from '../net/prefix.ts'
import type { Routing } from '../tables/desired.ts'
import type { Node } from '../tables/intent.ts'
import type { ControlSettings } from './settings.ts'

export interface Path {
  readonly routing: Routing
  /** Of the prefix's family when native; of the underlay's when VXLAN. */
  readonly nodeAddress: Address
  readonly onLink: boolean
  /** Why the configured routing cannot work. */
  readonly problem?: string
}

/**
 * How `prefix` of `node` is reached; undefined while the node has no address. A native next hop
 * must be of the prefix's family. `auto` goes natively to neighbours and by VXLAN to everyone else.
 */
export function pathTo(node: Node, prefix: Prefix, settings: ControlSettings): Path | undefined {
  const family = prefixFamily(prefix)
  const own = node.addresses.find((address) => hostPrefix(address) === prefix)
  const native = pathBy('native', own ?? addressOf(node, family), settings)
  if (settings.routing === 'native' && native) return native
  if (settings.routing === 'auto' && native?.onLink) return native
  const tunnel = tunnelTo(node, settings)
  if (settings.routing !== 'native' || !tunnel) return tunnel
  const problem =
    `Cannot route ${prefix} natively: node ${node.name} has no IPv${family} address; ` +
    'give it one, or set routing to auto or vxlan'
  return { ...tunnel, routing: 'native', problem }
}

/** Where VXLAN over IPv4 reaches a node whose own way is another one; undefined: nowhere. */
export function tunnelBeside(node: Node, settings: ControlSettings): Address | undefined {
  const tunnel = tunnelTo(node, settings)
  if (!tunnel || tunnel.problem !== undefined) return undefined
  return addressFamily(tunnel.nodeAddress) === 4 ? tunnel.nodeAddress : undefined
}

/**
 * The outer header is IPv4 where both this node's uplinks and the other node have it, else IPv6.
 */
function tunnelTo(node: Node, settings: ControlSettings): Path | undefined {
  const own = new Set(settings.onLinkPrefixes.map(prefixFamily))
  const families = ([4, 6] as const).filter((family) => own.size === 0 || own.has(family))
  const shared = families.map((family) => addressOf(node, family)).find((address) => address)
  const tunnel = pathBy('vxlan', shared ?? node.addresses[0], settings)
  if (shared || !tunnel) return tunnel
  const problem =
    `Cannot tunnel to node ${node.name}: this node's uplinks have IPv${families.join()} only ` +
    `and it has ${node.addresses.join(', ')}`
  return { ...tunnel, problem }
}

function addressOf({ addresses }: Node, family: Family): Address | undefined {
  return addresses.find((address) => addressFamily(address) === family)
}

function pathBy(
  routing: Routing,
  nodeAddress: Address | undefined,
  { onLinkPrefixes }: ControlSettings,
): Path | undefined {
  if (!nodeAddress) return undefined
  const onLink = onLinkPrefixes.some((prefix) => prefixContains(prefix, nodeAddress))
  return { routing, nodeAddress, onLink }
}
