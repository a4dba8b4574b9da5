// `weir identity`: whom policies tell apart, and who has which number.
import type { Command } from 'commander'
import type { IdentityView } from '../api/identity-view.ts'
import { printDifferences } from './differences.ts'
import { formatList, printTable } from './output.ts'
import { viewCommand } from './views.ts'

export function identityCommand(): Command {
  return viewCommand<IdentityView>({
    name: 'identity',
    description: 'whom policies tell apart',
    path: '/v1/identities',
    list: {
      description: 'every identity, with its pods or its prefix, and drift',
      print: printViews,
    },
  })
}

function printViews(views: readonly IdentityView[]): void {
  printTable(
    ['IDENTITY', 'NAMESPACE', 'LABELS', 'PODS', 'ADDRESSES', 'DRIFT'],
    views.map(({ identity, namespace, labels, pods, addresses, drift }) => [
      ...[identity, namespace || '-'],
      Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`)
        .join('\n') || '-',
      ...[formatList(pods) || '-', formatList(addresses), drift],
    ]),
  )
  printDifferences(views, ({ identity }) => `identity ${identity}`)
}
