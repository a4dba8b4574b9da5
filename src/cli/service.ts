// `weir service`: where Services are reached, which backends new connections get, and why.
import type { Command } from 'commander'
import type { BackendView } from '../api/backend-view.ts'
import type { Explanation } from '../api/service-explain.ts'
import type { FrontendRules, ServiceView } from '../api/service-view.ts'
import { readAgent } from './agent.ts'
import { printDifferences } from './differences.ts'
import { formatList, print, printFields, printJson, printTable } from './output.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'
import { viewCommand } from './views.ts'

export function serviceCommand(): Command {
  const command = viewCommand<ServiceView>({
    name: 'service',
    description: 'frontends of Services and their backends',
    path: '/v1/services',
    list: { description: 'every frontend, with its backends and drift', print: printViews },
    get: {
      description: 'the frontends of one Service by namespace/name, address or address:port',
      pathOf: (wanted) => `/v1/services/${encodeURIComponent(wanted)}`,
      print: printView,
    },
  })
  const explain = command
    .command('explain')
    .description('what a new connection to an address and port gets, and why')
    .argument('<frontend>', 'ADDRESS:PORT, or ADDRESS:PORT/UDP')
    .option('--from <client>', 'NAMESPACE/POD, an address, node or outside')
    .action(async (frontend: string, _options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions & { from?: string }>()
      const { socket } = await findTarget(options)
      const question = options.from === undefined ? frontend : `${frontend} from ${options.from}`
      const path = `/v1/service-explanations/${encodeURIComponent(question)}`
      printExplanations(await readAgent<Explanation[]>(socket, path), options.json ?? false)
    })
  addTargetOptions(explain)
  return command
}

function printExplanations(explanations: readonly Explanation[], json: boolean): void {
  if (json) printJson(explanations)
  for (const { problem, lines } of explanations) {
    if (problem !== undefined) process.exitCode = 1
    if (json) continue
    if (problem !== undefined) print(problem)
    printFields(lines)
  }
}

function printViews(views: readonly ServiceView[]): void {
  printTable(
    ['FRONTEND', 'KIND', 'SERVICE', 'PORT', 'BACKENDS', 'OUTSIDE', 'ACTUAL', 'STATUS', 'DRIFT'],
    views.map((view) => {
      const { frontend, kind = '-', service, portName, desired, actual, status, drift } = view
      const isSame = String(desired) === String(view.desiredOutside)
      return [
        ...[frontend, kind, service || '-', portName || '-', formatList(desired, 2) || 'none'],
        isSame ? 'same' : formatList(view.desiredOutside, 2) || 'none',
        ...[actual.length, status ?? '-', drift],
      ]
    }),
  )
  printDifferences(views, ({ frontend }) => frontend)
}

function printView(view: ServiceView): void {
  printFields([
    ['frontend', view.frontend],
    ['kind', view.kind ?? ''],
    ['service', view.service],
    ['port', view.portName],
    ['id', view.id === undefined ? '' : String(view.id)],
    ...describeRules(view.rules),
    ['backends', view.desired.join('\n') || 'none'],
    ['in the kernel', view.actual.join('\n') || 'none'],
    ['status', view.error ? `${view.status}: ${view.error}` : (view.status ?? '')],
    ['drift', [view.drift, ...view.differences].join('\n')],
  ])
  if (view.backends && view.backends.length > 0) printBackends(view.backends)
  print('')
}

function describeRules(rules: FrontendRules | undefined): [string, string][] {
  if (!rules) return []
  const { policies, affinitySeconds, balancing, forwarding, sourceRanges } = rules
  const empty = rules.whenEmpty === rules.externalWhenEmpty
  return [
    [
      'policies',
      policies
        ? `internal ${policies.internalTrafficPolicy}, external ${policies.externalTrafficPolicy}`
        : '',
    ],
    [
      'affinity',
      affinitySeconds > 0 ? `by client, ${affinitySeconds} s after its last use` : 'none',
    ],
    ['balancing', balancing],
    ['forwarding', forwarding],
    ['may ask', sourceRanges ? sourceRanges.join(', ') || 'this node alone' : 'everybody'],
    [
      'when empty',
      empty ? rules.whenEmpty : `${rules.whenEmpty}, from outside ${rules.externalWhenEmpty}`,
    ],
  ]
}

function printBackends(backends: readonly BackendView[]): void {
  printTable(
    ['BACKEND', 'STATE', 'NODE', 'ZONE', 'HINTS', 'USED', 'HITS'],
    backends.map(({ backend, state, local, node, zone, hints, hits, ...used }) => [
      ...[backend, state, local ? `${node || '-'} (this)` : node || '-', zone || '-'],
      ...[hints.join(', ') || '-', describeUse(used), hits ?? '-'],
    ]),
  )
}

function describeUse({ usedInside, usedOutside }: Pick<BackendView, 'usedInside' | 'usedOutside'>) {
  if (usedInside && usedOutside) return 'inside, outside'
  if (usedInside) return 'inside'
  return usedOutside ? 'outside' : 'no'
}
