// `weir node`: the cluster's nodes, and how this one reaches each.
import { Command } from 'commander'
import type { NodeView } from '../api/node-view.ts'
import { readAgent } from './agent.ts'
import { printDifferences } from './differences.ts'
import { printJson, printTable } from './output.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

export function nodeCommand(): Command {
  const command = new Command('node').description('nodes and the ways to them')
  const list = command
    .command('list')
    .description('every node, with its podCIDRs, routing and drift')
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const { socket } = await findTarget(options)
      const views = await readAgent<NodeView[]>(socket, '/v1/nodes')
      if (options.json) printJson(views)
      else printViews(views)
    })
  addTargetOptions(list)
  return command
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
