// The arithmetic of the bench: who is compared with whom, in which round.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureInterleaved, quantile, type Subject } from '../../../src/bench/measure.ts'

/** A subject that yields the given samples, one a round. */
function subject(name: string, samples: readonly number[], reference?: string): Subject {
  let round = 0
  const sample = async () => samples[round++] ?? Number.NaN
  return { name, unit: 'us', sample, ...(reference === undefined ? {} : { reference }) }
}

test('measureInterleaved() takes ratios inside a round: a slow one hits both', async () => {
  const limit = subject('limit', [10, 100, 10])
  const path = subject('path', [11, 110, 11], 'limit')
  const [row] = await measureInterleaved([limit, path], 3)
  assert.equal(row?.ratio, 1.1)
  assert.equal(row?.value, 11)
  assert.equal(row?.referenceValue, 10)
})

test('measureInterleaved() gives no row to a mere reference', async () => {
  const rows = await measureInterleaved([subject('limit', [1])], 1)
  assert.deepEqual(rows, [])
})

test('measureInterleaved() refuses a reference that was not measured', async () => {
  const lonely = subject('path', [1], 'nowhere')
  await assert.rejects(measureInterleaved([lonely], 1), /Cannot compare path: nowhere/)
})

test('measureInterleaved() samples each subject once a round, in turn first', async () => {
  const order: string[] = []
  const recording = (name: string): Subject => ({
    name,
    unit: '',
    sample: async () => {
      order.push(name)
      return 1
    },
  })
  await measureInterleaved([recording('a'), recording('b'), recording('c')], 2)
  assert.deepEqual(order, ['a', 'b', 'c', 'b', 'c', 'a'])
})

test('quantile() is the nearest rank, whatever the order', () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2)
  assert.equal(quantile([5, 1, 4, 2, 3], 0.99), 5)
  assert.equal(quantile([7], 0.5), 7)
})
