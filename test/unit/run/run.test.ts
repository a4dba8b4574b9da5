// The runner of `make test`: its counts must add up whatever a test file does, for a machine reads
// them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { NOTHING, resultLine, sum, totalLine } from '../../support/outcome.ts'
import { findSuites } from '../../support/suites.ts'

const SUPPORT = new URL('../../support/', import.meta.url).href
let directory = ''

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-run-'))
})

after(() => rmSync(directory, { recursive: true }))

/** Runs files through runFiles() in a process of its own; what it printed, and the outcome. */
function runFiles(files: Readonly<Record<string, string>>) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  const suite = { kind: 'files', name: 'x', files: Object.keys(files), root: false }
  const script = `
    const { runFiles } = await import('${SUPPORT}run-files.ts')
    const outcome = await runFiles(${JSON.stringify(suite)})
    console.log(JSON.stringify(outcome))`
  // Inside a test file node:test would take the run for a part of this one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  // From a file, for a run hands its own arguments on to the processes of its test files.
  writeFileSync(join(directory, 'run.mjs'), script)
  const how = { cwd: directory, env, encoding: 'utf8' } as const
  const said = execFileSync(process.execPath, ['run.mjs'], how)
  const lines = said.trimEnd().split('\n')
  return { outcome: JSON.parse(lines.at(-1) ?? ''), said }
}

test('tests are counted once, in suites and below other tests', () => {
  const text = `
    import { describe, test } from 'node:test'
    describe('suite', () => { test('a', () => {}); test('b', () => {}) })
    test('parent', async (t) => { await t.test('child', () => {}) })`
  const { outcome, said } = runFiles({ 'good.test.ts': text })
  assert.deepEqual(outcome, { passed: 4, failed: 0, skipped: 0 })
  assert.match(said, /^ok {3}good\.test\.ts +4 passed, 0 failed/)
})

test('a failure is counted where it happened, and shown with what the file printed', () => {
  const text = `
    import { describe, test } from 'node:test'
    console.log('printed by the file')
    describe('suite', () => { test('bad', () => { throw new Error('boom') }) })
    test('parent', async (t) => { await t.test('child', () => { throw new Error('bang') }) })
    test('later', { skip: 'no kernel' }, () => {})`
  const { outcome, said } = runFiles({ 'bad.test.ts': text })
  assert.deepEqual(outcome, { passed: 0, failed: 2, skipped: 1 })
  assert.match(said, /^FAIL bad\.test\.ts/)
  for (const part of ['> bad', 'Error: boom', '> child', 'Error: bang', 'printed by the file']) {
    assert.ok(said.includes(part), part)
  }
  assert.match(said, /^ +skipped: later: no kernel$/m)
})

test('a file that breaks, exits or has no tests is a failure and never silent', () => {
  for (const text of ["import './nothing.ts'", 'process.exit(0)', 'process.exit(3)', '']) {
    const { outcome, said } = runFiles({ 'odd.test.ts': text })
    assert.equal(outcome.failed, 1, text)
    assert.match(said, /^FAIL odd\.test\.ts/, text)
  }
})

test('the total adds up and names what was skipped only when something was', () => {
  const outcomes = [
    { passed: 2, failed: 1, skipped: 0 },
    { passed: 3, failed: 0, skipped: 4 },
  ]
  assert.equal(totalLine(sum(outcomes)), '5 passed, 1 failed, 4 skipped')
  assert.equal(totalLine(NOTHING), '0 passed, 0 failed')
  assert.match(
    resultLine('tidy', { passed: 1, failed: 0, skipped: 0 }, 1234),
    /^ok {3}tidy .* 1\.2 s$/,
  )
})

test('every directory of tests is a suite', () => {
  const names = findSuites(new URL('../../..', import.meta.url).pathname).map(({ name }) => name)
  for (const name of ['types', 'tidy', 'unit', 'script', 'native', 'packet', 'lab', 'cni']) {
    assert.ok(names.includes(name), name)
  }
  assert.ok(!names.includes('support'))
})
