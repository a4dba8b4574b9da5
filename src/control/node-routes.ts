// The other nodes to routes of the host's own stack, so that the node itself reaches their pods.
import { gatewayOf, prefixFamily, prefixSize } from '../net/prefix.ts'
import type { Derivation } from '../state/derive.ts'
import type { NodeRoute } from '../tables/desired.ts'
import type { Node } from '../tables/intent.ts'
import type { Tables } from '../tables/tables.ts'
import { pathTo } from './paths.ts'
import type { ControlSettings } from './settings.ts'

/** Keeps `nodeRoutes` equal to what the other nodes' podCIDRs need; a group is a node's name. */
export function nodeRoutesDerivation(
  { nodes, nodeRoutes }: Tables,
  settings: ControlSettings,
): Derivation<NodeRoute> {
  const names = (): string[] => [...nodes.rows()].map(({ name }) => name)
  return {
    inputs: [
      {
        table: nodes,
        // This node's podCIDRs give the gateways that every overlay route goes via.
        groupsOf: ({ name }: Node) => (name === settings.nodeName ? names() : [name]),
      },
    ],
    compute: (group) => {
      const node = nodes.get(group)
      if (!node || node.name === settings.nodeName) return []
      return nodeRoutesTo(node, nodes.get(settings.nodeName), settings)
    },
    output: nodeRoutes,
  }
}

/**
 * The routes to one other node's podCIDRs. There is none where this node has no gateway of the
 * family (overlay), where the node is not a neighbour (native), and where the path has a problem.
 */
export function nodeRoutesTo(
  node: Node,
  self: Node | undefined,
  settings: ControlSettings,
): readonly NodeRoute[] {
  return node.podCidrs.flatMap((prefix) => {
    const path = pathTo(node, prefix, settings)
    if (!path || path.problem) return []
    const native = path.onLink ? path.nodeAddress : undefined
    const nextHop = path.routing === 'native' ? native : gatewayFor(self, prefixFamily(prefix))
    return nextHop ? [{ prefix, nodeName: node.name, routing: path.routing, nextHop }] : []
  })
}

function gatewayFor(self: Node | undefined, family: 4 | 6) {
  const podCidr = self?.podCidrs.find((prefix) => prefixFamily(prefix) === family)
  return podCidr && prefixSize(podCidr) > 1n ? gatewayOf(podCidr) : undefined
}
