// docs/conformance.md from a plan and its outcomes. The same outcomes give the same text: no times,
// no order but the names'. Pure.
import type { Plan, Spec } from './e2e-plan.ts'
import type { Outcome, Outcomes } from './e2e-report.ts'

const HEAD = [
  "# Kubernetes' own network tests",
  '',
  'Every `[sig-network]` test of `e2e.test`, on the [test cluster](cluster.md): dual stack, no',
  'kube-proxy, load balancers of a stand-in for a cloud. Written by `make e2e`; which tests are',
  'left out, and why, is in [e2e-skips.yaml](../src/cluster/e2e-skips.yaml).',
  '',
]

/** The Markdown text. */
export function conformanceTable(plan: Plan, outcomes: Outcomes, environment: string): string {
  const all = [...plan.run, ...plan.skipped.map(({ spec }) => spec)]
  const groups = [...new Set(all.map(({ group }) => group))].sort()
  const rows = groups.map((group) => {
    return countRow(group, plan, outcomes, (spec) => spec.group === group)
  })
  const conformance = countRow('**all [Conformance]**', plan, outcomes, ({ name }) => {
    return name.includes('[Conformance]')
  })
  const total = countRow('**all**', plan, outcomes, () => true)
  return [
    ...[...HEAD, `${environment}.`, ''],
    '| group | passed | failed | skip themselves | not run yet | left out |',
    '|---|---|---|---|---|---|',
    ...[...rows, conformance, total, ''],
    ...listed('Failed', plan, outcomes, 'failed', ({ message }) => message),
    ...leftOut(plan),
    ...listed('Skip themselves', plan, outcomes, 'skipped', ({ message }) => message),
    ...notRun(plan, outcomes),
    ...listed('Passed', plan, outcomes, 'passed', ({ attempts }) => {
      return attempts > 1 ? `at attempt ${attempts}` : undefined
    }),
  ].join('\n')
}

function countRow(
  title: string,
  plan: Plan,
  outcomes: Outcomes,
  belongs: (spec: Spec) => boolean,
): string {
  const run = plan.run.filter(belongs)
  const count = (state?: Outcome['state']) => {
    return run.filter(({ name }) => outcomes[name]?.state === state).length
  }
  const left = plan.skipped.filter(({ spec }) => belongs(spec)).length
  const cells = [count('passed'), count('failed'), count('skipped'), count(), left]
  return `| ${[title, ...cells].join(' | ')} |`
}

function listed(
  title: string,
  { run }: Plan,
  outcomes: Outcomes,
  state: Outcome['state'],
  note: (outcome: Outcome) => string | undefined,
): string[] {
  const items = run.flatMap(({ name }) => {
    const outcome = outcomes[name]
    if (outcome?.state !== state) return []
    const text = note(outcome)
    return [`- ${shown(name)}${text ? `: ${escaped(text)}` : ''}`]
  })
  return items.length === 0 ? [] : [`## ${title}`, '', ...items, '']
}

/** By reason, in the order of the rules. */
function leftOut({ skipped }: Plan): string[] {
  if (skipped.length === 0) return []
  const byReason = Map.groupBy(skipped, ({ rule }) => rule.reason)
  const parts = [...byReason].flatMap(([reason, members]) => [
    ...[`${reason}:`, ''],
    ...[...members.map(({ spec }) => `- ${shown(spec.name)}`), ''],
  ])
  return ['## Left out', '', ...parts]
}

function notRun({ run }: Plan, outcomes: Outcomes): string[] {
  const names = run.map(({ name }) => name).filter((name) => outcomes[name] === undefined)
  if (names.length === 0) return []
  return ['## Not run yet', '', ...names.map((name) => `- ${shown(name)}`), '']
}

function shown(name: string): string {
  return escaped(name.slice('[sig-network] '.length))
}

/** Brackets and angles stay text in Markdown. */
function escaped(text: string): string {
  return text.replaceAll(/[[\]<>*_|]/g, '\\$&')
}
