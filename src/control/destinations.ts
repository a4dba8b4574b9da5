// The other nodes to destinations: one per podCIDR, one per address of the node itself.
import { hostPrefix } from '../net/prefix.ts'
import type { Derivation } from '../state/derive.ts'
import type { Destination } from '../tables/desired.ts'
import type { Node } from '../tables/intent.ts'
import type { Tables } from '../tables/tables.ts'
import { pathTo } from './paths.ts'
import type { ControlSettings } from './settings.ts'

/** Keeps `destinations` equal to what the other nodes have; a group is a node's name. */
export function destinationsDerivation(
  { nodes, destinations }: Tables,
  settings: ControlSettings,
): Derivation<Destination> {
  return {
    inputs: [{ table: nodes, groupsOf: ({ name }: Node) => [name] }],
    compute: (group) => {
      const node = nodes.get(group)
      return node && node.name !== settings.nodeName ? nodeDestinations(node, settings) : []
    },
    output: destinations,
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
    return path ? [{ prefix, nodeName: node.name, kind, ...path }] : []
  })
}
