// The rows and the end of a run, as people read them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatReport, formatRow } from '../../../src/lab/report.ts'

test('formatRow() leads with the verdict', () => {
  assert.match(
    formatRow({ name: 'a', ok: true, detail: 'fine', ms: 3.4 }),
    /^ok {2,} +3 ms {2}a +fine$/,
  )
  assert.match(formatRow({ name: 'a', ok: false, detail: '', ms: 1234 }), /^FAIL +1234 ms {2}a$/)
})

test('formatReport() repeats what failed', () => {
  const ok = { name: 'a', ok: true, detail: '', ms: 500 }
  assert.equal(formatReport({ checks: [ok] }), '1 checks, 0 failed, 0.5 s')
  const bad = { name: 'b', ok: false, detail: 'expected 1, saw 2', ms: 500 }
  assert.match(
    formatReport({ checks: [ok, bad] }),
    /Failed:\n {2}b\n {4}expected 1, saw 2\n\n2 checks, 1 failed, 1\.0 s$/,
  )
})
