// `weir node`: the cluster's nodes, and how this one reaches each.
import type { Command } from 'commander'
import type { NodeView } from '../api/node-view.ts'
import { printDifferences } from './differences.ts'
import { printTable } from './output.ts'
import { viewCommand } from './views.ts'

export function nodeCommand(): Command {
  return viewCommand<NodeView>({
    name: 'node',
    description: 'nodes and the ways to them',
    path: '/v1/nodes',
    list: {
      description: 'every node, with its podCIDRs, routing and drift',
      print: printViews,
    },
  })
}

function printViews(views: readonly NodeView[]): void {
  printTable(
    ['NAME', 'ADDRESSES', 'PODCIDRS', 'ROUTING', 'DESTINATIONS', 'ROUTES', 'DRIFT'],
    views.map(({ name, addresses, podCidrs, routing, destinations, routes, drift }) => [
      ...[name || '-', addresses.join(', '), podCidrs.join(', '), routing],
      ...[destinations, routes, drift],
    ]),
  )
  const withErrors = views.map(({ name, differences, errors }) => ({
    name,
    differences: [...errors, ...differences],
  }))
  printDifferences(withErrors, ({ name }) => name || 'nobody asked')
}
