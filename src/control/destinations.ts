// The other nodes to destinations: one per podCIDR, one per address of the node itself. And the
// ranges of Service addresses, so that one that no Service has is refused and not routed away.
import { type Address, addressFamily } from '../net/address.ts'
import { hostPrefix, prefixFamily } from '../net/prefix.ts'
import type { Derivation } from '../state/derive.ts'
import type { Destination } from '../tables/desired.ts'
import type { Node, ServiceCidr } from '../tables/intent.ts'
import type { Tables } from '../tables/tables.ts'
import { pathTo, tunnelBeside } from './paths.ts'
import type { ControlSettings } from './settings.ts'

/** Groups of ranges are "services NAME"; those of nodes the name. */
const RANGE = 'services '

/** Keeps `destinations` equal to what the other nodes have; a group is a node or a range. */
export function destinationsDerivation(
  { nodes, serviceCidrs, destinations }: Tables,
  settings: ControlSettings,
): Derivation<Destination> {
  return {
    inputs: [
      { table: nodes, groupsOf: ({ name }: Node) => [name] },
      {
        table: serviceCidrs,
        groupsOf: ({ name }: ServiceCidr) => [`${RANGE}${name}`],
        // Traffic between pods waits for no range of Services.
        isOptional: true,
      },
    ],
    compute: (group) => {
      if (group.startsWith(RANGE)) {
        const range = serviceCidrs.get(group.slice(RANGE.length))
        return range ? rangeDestinations(range, settings) : []
      }
      const node = nodes.get(group)
      return node && node.name !== settings.nodeName ? nodeDestinations(node, settings) : []
    },
    output: destinations,
    // Pods and nodes go before a range that is drawn over them.
    rankOf: ({ kind }) => (kind === 'services' ? 1 : 0),
  }
}

/** The destinations of one other node; none while it has no address. */
export function nodeDestinations(node: Node, settings: ControlSettings): readonly Destination[] {
  const wanted = [
    ...node.podCidrs.map((prefix) => ({ prefix, kind: 'pods' as const })),
    ...node.addresses.map((address) => ({ prefix: hostPrefix(address), kind: 'node' as const })),
  ]
  return wanted.flatMap(({ prefix, kind }) => {
    const path = pathTo(node, prefix, settings)
    if (!path) return []
    const tunnelAddress =
      addressFamily(path.nodeAddress) === 6 ? tunnelBeside(node, settings) : undefined
    const beside = tunnelAddress === undefined ? {} : { tunnelAddress }
    return [{ prefix, nodeName: node.name, kind, ...path, ...beside }]
  })
}

function rangeDestinations(
  { prefixes }: ServiceCidr,
  { nodeName }: ControlSettings,
): readonly Destination[] {
  return prefixes.map((prefix) => ({
    prefix,
    nodeName,
    nodeAddress: (prefixFamily(prefix) === 4 ? '0.0.0.0' : '::') as Address,
    onLink: false,
    routing: 'native',
    kind: 'services',
  }))
}
