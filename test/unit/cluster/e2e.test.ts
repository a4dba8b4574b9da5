// Kubernetes' own tests: which run, what is kept of their reports, what is told of them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { junitReport } from '../../../src/cluster/e2e-junit.ts'
import {
  chunksOf,
  focusOf,
  parseDryRun,
  parseSkips,
  planRun,
  remaining,
  type Spec,
} from '../../../src/cluster/e2e-plan.ts'
import { type Outcome, type Outcomes, outcomesOf } from '../../../src/cluster/e2e-report.ts'
import { conformanceTable } from '../../../src/cluster/e2e-table.ts'

const SERVES = '[sig-network] Services should serve [Conformance]'
const TALKS = '[sig-network] Services should talk (a|b) [SCTP]'
const NAMES = '[sig-network] DNS should name'

function report(...states: [name: string, state: string, message?: string][]): string {
  const specs = states.map(([name, State, Message]) => {
    const [, sig, group, text] = /^(\[.*?\]) (\S+) (.*)$/.exec(name) ?? []
    const place = { ContainerHierarchyTexts: [`${sig} ${group}`], LeafNodeText: text }
    const failure = Message ? { Failure: { Message } } : {}
    return { ...place, LeafNodeType: 'It', State, RunTime: 1_250_000_000, ...failure }
  })
  const setUp = { ContainerHierarchyTexts: null, LeafNodeType: 'SynchronizedBeforeSuite' }
  return JSON.stringify([
    { SpecReports: [{ ...setUp, LeafNodeText: '', State: 'passed' }, ...specs] },
  ])
}

const SPECS: Spec[] = parseDryRun(
  report(
    [SERVES, 'passed'],
    ['[sig-storage] Volumes should hold', 'passed'],
    [TALKS, 'passed'],
    [NAMES, 'passed'],
  ),
)

test('parseDryRun() keeps the network tests, by name, with their group', () => {
  assert.deepEqual(SPECS, [
    { name: NAMES, group: 'DNS' },
    { name: SERVES, group: 'Services' },
    { name: TALKS, group: 'Services' },
  ])
})

test('parseSkips() names the rule that is none', () => {
  assert.throws(() => parseSkips('a: b'), /must be a list/)
  assert.throws(() => parseSkips('- pattern: a'), /rule 1 needs a pattern and a reason/)
})

test('e2e-skips.yaml is a list of rules', () => {
  const url = new URL('../../../src/cluster/e2e-skips.yaml', import.meta.url)
  for (const { reason } of parseSkips(readFileSync(url, 'utf8'))) assert.ok(reason.length > 10)
})

test('planRun() leaves out what a rule matches, and refuses a rule that matches nothing', () => {
  const rules = parseSkips('- { pattern: SCTP, reason: not here }')
  const { run, skipped } = planRun(SPECS, rules)
  assert.deepEqual(
    run.map(({ name }) => name),
    [NAMES, SERVES],
  )
  assert.deepEqual(
    skipped.map(({ spec, rule }) => [spec.name, rule.reason]),
    [[TALKS, 'not here']],
  )
  assert.throws(
    () => planRun(SPECS, parseSkips('- { pattern: gone, reason: b }')),
    /remove the rule/,
  )
})

test('chunksOf() keeps groups apart and each chunk small', () => {
  const chunks = chunksOf(SPECS, 1)
  assert.deepEqual(
    chunks.map(({ name, specs }) => [name, specs.length]),
    [
      ['dns-1', 1],
      ['services-1', 1],
      ['services-2', 1],
    ],
  )
})

test('focusOf() matches the tests and no longer ones', () => {
  const focus = new RegExp(focusOf([SPECS[2] as Spec]))
  assert.match(`Kubernetes e2e suite ${TALKS}`, focus)
  assert.doesNotMatch(SERVES, focus)
  assert.doesNotMatch(`${TALKS} again`, focus)
})

test('outcomesOf() counts attempts, and leaves out what was not asked for', () => {
  const before: Outcomes = { [SERVES]: { state: 'failed', seconds: 1, attempts: 1 } }
  const text = report([SERVES, 'passed'], [NAMES, 'skipped'], [TALKS, 'timedout', '\nToo late\nx'])
  const outcomes = outcomesOf(text, new Set([SERVES, TALKS]), before)
  assert.deepEqual(outcomes, {
    [SERVES]: { state: 'passed', seconds: 1.3, attempts: 2 },
    [TALKS]: { state: 'failed', seconds: 1.3, message: 'Too late', attempts: 1 },
  })
})

test('outcomesOf() takes random ends off names, so that the same failure reads the same', () => {
  const message = 'pod "client-x7k2p" in namespace "services-4711" failed'
  const outcomes = outcomesOf(report([SERVES, 'failed', message]), new Set([SERVES]), {})
  assert.equal(outcomes[SERVES]?.message, 'pod "client-*" in namespace "services-*" failed')
})

test('remaining() has what never ran, what failed and what skipped itself', () => {
  const passed: Outcome = { state: 'passed', seconds: 1, attempts: 1 }
  for (const state of ['failed', 'skipped'] as const) {
    const left = remaining(SPECS, { [NAMES]: passed, [SERVES]: { ...passed, state } })
    assert.deepEqual(
      left.map(({ name }) => name),
      [SERVES, TALKS],
    )
  }
})

test('conformanceTable() counts by group and lists each state once', () => {
  const plan = planRun(SPECS, parseSkips('- { pattern: SCTP, reason: not here }'))
  const text = conformanceTable(
    plan,
    { [SERVES]: { state: 'failed', seconds: 1, message: 'no <answer>', attempts: 1 } },
    'Weir 1',
  )
  assert.match(text, /^\| Services \| 0 \| 1 \| 0 \| 0 \| 1 \|$/m)
  assert.match(text, /^\| DNS \| 0 \| 0 \| 0 \| 1 \| 0 \|$/m)
  assert.match(text, /^\| \*\*all\*\* \| 0 \| 1 \| 0 \| 1 \| 1 \|$/m)
  assert.match(text, /## Failed\n\n- Services should serve \\\[Conformance\\\]: no \\<answer\\>\n/)
  assert.match(text, /## Left out\n\nnot here:\n\n- Services should talk/)
})

test('junitReport() has what ran and what is left out, its text escaped', () => {
  const plan = planRun(SPECS, parseSkips('- { pattern: SCTP, reason: not here }'))
  const failed: Outcome = { state: 'failed', seconds: 2, message: 'a <b> & "c"', attempts: 1 }
  const text = junitReport(plan, { [SERVES]: failed })
  assert.match(text, /<testsuite name="sig-network" tests="2" failures="1" skipped="1">/)
  assert.match(text, /time="2"><failure message="a &lt;b&gt; &amp; &quot;c&quot;"\/>/)
  assert.match(text, /talk \(a\|b\) \[SCTP\]" .*<skipped message="not here"\/>/)
})
