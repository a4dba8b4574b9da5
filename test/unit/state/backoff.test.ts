// Delays between retries.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs } from '../../../src/state/backoff.ts'

test('backoffMs() doubles up to its cap and never overflows', () => {
  const delays = [0, 1, 2, 3, 10, 1000].map((attempt) => backoffMs(attempt, { random: () => 1 }))
  assert.deepEqual(delays, [100, 200, 400, 800, 60_000, 60_000])
})

test('backoffMs() keeps half of the delay and draws the other half', () => {
  assert.equal(backoffMs(0, { random: () => 0 }), 50)
  const drawn = new Set(Array.from({ length: 50 }, () => backoffMs(3)))
  assert.ok(drawn.size > 10)
  for (const delay of drawn) assert.ok(delay >= 400 && delay <= 800)
})
