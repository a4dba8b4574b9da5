// `weir policy list` and `get`: policies, whom they select here, and what became of them.
import type { PolicyView } from '../api/policy-view.ts'
import { formatList, print, printFields, printTable } from './output.ts'
import type { ViewCommand } from './views.ts'

export const POLICY_VIEWS: ViewCommand<PolicyView> = {
  name: 'policy',
  description: 'who may talk to whom, and why',
  path: '/v1/policies',
  list: {
    description: 'every policy, with the pods of this node that it selects, state, size and drift',
    print: printViews,
  },
  get: {
    description: 'one policy by namespace/name, or by name: rules, selected pods, peers',
    matches: ({ name }, wanted) => name === wanted,
    print: printView,
  },
}

function printViews(views: readonly PolicyView[]): void {
  printTable(
    ['POLICY', 'TIER', 'DIRECTIONS', 'SELECTS HERE', 'ENTRIES', 'STATE', 'DRIFT'],
    views.map(({ name, tier, directions, selects, entries, state, drift }) => [
      ...[name, tier, directions.join(', ') || '-', formatList(selects) || '-'],
      ...[entries, state, drift],
    ]),
  )
  const seen = views.flatMap(({ problems, differences }) => [...problems, ...differences])
  if (seen.length > 0) print(`\n${[...new Set(seen)].join('\n')}`)
}

function printView(view: PolicyView): void {
  printFields([
    ['policy', `${view.kind} ${view.name}`],
    ['tier', view.tier],
    ['directions', view.directions.join(', ') || 'none'],
    ['selects here', view.selects.join('\n') || 'no pod of this node'],
    ['state', view.state],
    ['entries', `${view.entries}, with those of other policies of these pods`],
    ['drift', [view.drift, ...view.differences].join('\n')],
    ['problems', view.problems.join('\n')],
  ])
  for (const { rule, action, peers, ports, entries } of view.rules) {
    print('')
    printFields([
      [rule, action],
      ['  peers', peers.join('\n') || 'nobody'],
      ['  ports', ports.join('\n') || 'none'],
      ['  decides', entries.join('\n')],
    ])
  }
}
