// junit.xml of all outcomes kept so far: the runner's own reports are by chunk, and name thousands
// of tests that were not asked for. Pure.
import type { Plan } from './e2e-plan.ts'
import type { Outcome, Outcomes } from './e2e-report.ts'

/** One suite; what is left out counts as skipped, with its reason. */
export function junitReport({ run, skipped }: Plan, outcomes: Outcomes): string {
  const cases = run.flatMap(({ name, group }) => {
    const outcome = outcomes[name]
    return outcome ? [testCase(name, group, outcome)] : []
  })
  const leftOut = skipped.map(({ spec, rule }) => {
    const outcome = { state: 'skipped', seconds: 0, attempts: 0, message: rule.reason } as const
    return testCase(spec.name, spec.group, outcome)
  })
  const all = [...cases, ...leftOut]
  const failures = Object.values(outcomes).filter(({ state }) => state === 'failed').length
  const own = Object.values(outcomes).filter(({ state }) => state === 'skipped').length
  const counts = `tests="${all.length}" failures="${failures}" skipped="${own + leftOut.length}"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="sig-network" ${counts}>`,
    ...all,
    '</testsuite>',
    '',
  ].join('\n')
}

function testCase(name: string, group: string, { state, seconds, message = '' }: Outcome): string {
  const head = `name="${escaped(name)}" classname="${escaped(group)}" time="${seconds}"`
  if (state === 'passed') return `  <testcase ${head}/>`
  const tag = state === 'failed' ? 'failure' : 'skipped'
  return `  <testcase ${head}><${tag} message="${escaped(message)}"/></testcase>`
}

const ENTITIES: Readonly<Record<string, string>> = { '<': 'lt', '>': 'gt', '&': 'amp', '"': 'quot' }

function escaped(text: string): string {
  // XML 1.0 has no way to write other control characters.
  const printable = text.replaceAll(/[^\t\n\x20-\uffff]/g, '')
  return printable.replaceAll(/[<>&"]/g, (each) => `&${ENTITIES[each]};`)
}
