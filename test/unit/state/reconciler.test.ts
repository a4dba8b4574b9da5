// The reconciler's rounds: coalescing, order, failures and retries, rows that change meanwhile.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Reconciler, type ReconcilerOptions } from '../../../src/state/reconciler.ts'
import { createTable, gate, Target } from './target.ts'

/**
 * A started reconciler that stops with the test; retries come after 1 ms unless asked otherwise.
 */
function setUp(t: TestContext, options: ReconcilerOptions = {}) {
  const table = createTable()
  const target = new Target()
  const reconciler = new Reconciler(table, target, { retryMs: () => 1, ...options })
  t.after(() => reconciler.stop())
  reconciler.start()
  return { table, target, reconciler }
}

test('changes of one turn of the event loop are one call', async (t) => {
  const { table, target, reconciler } = setUp(t)
  for (const name of ['a', 'b', 'c']) table.upsert({ name, value: 1 })
  table.upsert({ name: 'a', value: 2 })
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update a,b,c'])
  assert.deepEqual(
    [...target.held],
    [
      ['a', 2],
      ['b', 1],
      ['c', 1],
    ],
  )
  assert.equal(table.entry('a')?.status.state, 'done')
})

test('deletes go before updates, to make room', async (t) => {
  const { table, target, reconciler } = setUp(t)
  table.upsert({ name: 'a', value: 1 })
  await reconciler.idle()
  table.upsert({ name: 'b', value: 1 })
  table.delete('a')
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update a', 'delete a', 'update b'])
  assert.equal(table.isDeleted('a'), false)
})

test('rows go in batches', async (t) => {
  const { table, target, reconciler } = setUp(t, { batchSize: 2 })
  for (const name of ['a', 'b', 'c', 'd', 'e']) table.upsert({ name, value: 1 })
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update a,b', 'update c,d', 'update e'])
})

test('rows of before the start are done at the start', async (t) => {
  const table = createTable()
  const target = new Target()
  const reconciler = new Reconciler(table, target)
  t.after(() => reconciler.stop())
  table.upsert({ name: 'a', value: 1 })
  table.upsert({ name: 'b', value: 1 })
  table.delete('b')
  reconciler.start()
  await reconciler.idle()
  assert.deepEqual(target.calls, ['delete b', 'update a'])
})

test('a failing row is in error, is tried again, and holds no other up', async (t) => {
  const transitions: string[] = []
  const onError = (table: string, key: string, error?: Error) =>
    transitions.push(`${table} ${key} ${error?.message ?? 'ok'}`)
  const { table, target, reconciler } = setUp(t, { onError })
  target.failing.set('a', 'map is full')
  table.upsert({ name: 'a', value: 1 })
  table.upsert({ name: 'b', value: 1 })
  const failed = await reconciler.settled('a')
  assert.deepEqual(failed?.status, { state: 'error', error: 'map is full' })
  assert.equal((await reconciler.settled('b'))?.status.state, 'done')
  while (target.calls.length < 4) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.deepEqual(target.calls.slice(0, 4), ['update a,b', 'update a', 'update a', 'update a'])
  target.failing.clear()
  while (table.entry('a')?.status.state !== 'done') await new Promise((r) => setTimeout(r, 1))
  assert.deepEqual(transitions, ['rows a map is full', 'rows a ok'])
})

test('retries wait longer each time, and a changed row waits not at all', async (t) => {
  const attempts: number[] = []
  const { table, target, reconciler } = setUp(t, {
    retryMs: (attempt) => {
      attempts.push(attempt)
      return attempt < 3 ? 1 : 3_600_000
    },
  })
  target.failing.set('a', 'no')
  table.upsert({ name: 'a', value: 1 })
  while (attempts.length < 4) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.deepEqual(attempts, [0, 1, 2, 3])
  target.failing.clear()
  table.upsert({ name: 'a', value: 2 })
  assert.equal((await reconciler.settled('a'))?.status.state, 'done')
})

test('a changed row that fails again begins with the first delay', async (t) => {
  const attempts: number[] = []
  const { table, target, reconciler } = setUp(t, {
    retryMs: (attempt) => {
      attempts.push(attempt)
      return attempt < 2 ? 1 : 3_600_000
    },
  })
  target.failing.set('a', 'no')
  table.upsert({ name: 'a', value: 1 })
  while (attempts.length < 3) await new Promise((resolve) => setTimeout(resolve, 1))
  table.upsert({ name: 'a', value: 2 })
  await reconciler.settled('a')
  assert.deepEqual(attempts.slice(0, 4), [0, 1, 2, 0])
})

test('a retry that is far away does not delay a new row', async (t) => {
  const { table, target, reconciler } = setUp(t, { retryMs: () => 3_600_000 })
  target.failing.set('a', 'no')
  table.upsert({ name: 'a', value: 1 })
  await reconciler.settled('a')
  table.upsert({ name: 'b', value: 1 })
  assert.equal((await reconciler.settled('b'))?.status.state, 'done')
  assert.deepEqual(target.calls, ['update a', 'update b'])
})

test('a throw fails the whole call, and then each of its rows is tried alone', async (t) => {
  const { table, target, reconciler } = setUp(t)
  target.throwing.add('b')
  for (const name of ['a', 'b', 'c']) table.upsert({ name, value: 1 })
  await reconciler.settled('a')
  assert.deepEqual(table.entry('c')?.status, { state: 'error', error: 'call failed' })
  while (target.held.size < 2) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.deepEqual([...target.held.keys()], ['a', 'c'])
  assert.deepEqual(target.calls.slice(0, 4), ['update a,b,c', 'update a', 'update b', 'update c'])
})

test('a row that changes while its call runs is done again', async (t) => {
  const { table, target, reconciler } = setUp(t)
  const hold = gate()
  const began = gate()
  target.during = async () => {
    began.open()
    await hold.opened
  }
  table.upsert({ name: 'a', value: 1 })
  await began.opened
  table.upsert({ name: 'a', value: 2 })
  hold.open()
  assert.equal((await reconciler.settled('a'))?.row.value, 2)
  assert.deepEqual(target.calls, ['update a', 'update a'])
  assert.equal(target.held.get('a'), 2)
})

test('a row deleted while its update runs is deleted after it', async (t) => {
  const { table, target, reconciler } = setUp(t)
  target.during = (call) => {
    if (call === 'update a') table.delete('a')
  }
  table.upsert({ name: 'a', value: 1 })
  assert.equal((await reconciler.settled('a'))?.status.state, undefined)
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update a', 'delete a'])
  assert.equal(target.held.size, 0)
})

test('a row that comes back while its deletion runs is made again', async (t) => {
  const { table, target, reconciler } = setUp(t)
  table.upsert({ name: 'a', value: 1 })
  await reconciler.idle()
  target.during = (call) => {
    if (call === 'delete a') table.upsert({ name: 'a', value: 2 })
  }
  table.delete('a')
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update a', 'delete a', 'update a'])
  assert.equal(target.held.get('a'), 2)
  assert.equal(table.isDeleted('a'), false)
})

test('a row deleted, back and deleted again while its deletion runs ends deleted', async (t) => {
  const { table, target, reconciler } = setUp(t)
  table.upsert({ name: 'a', value: 1 })
  await reconciler.idle()
  let times = 0
  target.during = (call) => {
    if (call !== 'delete a' || times++ > 0) return
    table.upsert({ name: 'a', value: 2 })
    table.delete('a')
  }
  table.delete('a')
  assert.equal(await reconciler.settled('a'), undefined)
  assert.equal(target.held.size, 0)
})

test('a row that came back before its batch is not deleted', async (t) => {
  const { table, target, reconciler } = setUp(t, { batchSize: 1 })
  for (const name of ['a', 'b']) table.upsert({ name, value: 1 })
  await reconciler.idle()
  target.calls.length = 0
  target.during = (call) => {
    if (call === 'delete a') table.upsert({ name: 'b', value: 1 })
  }
  for (const name of ['a', 'b']) table.delete(name)
  await reconciler.idle()
  assert.deepEqual(target.calls, ['delete a', 'update b'])
})

test('onRound reports rows and failures', async (t) => {
  const rounds: { rows: number; failed: number; durationMs: number }[] = []
  const { table, target, reconciler } = setUp(t, {
    retryMs: () => 3_600_000,
    onRound: (_table, round) => rounds.push(round),
  })
  target.failing.set('a', 'no')
  for (const name of ['a', 'b']) table.upsert({ name, value: 1 })
  await reconciler.idle()
  assert.equal(rounds.length, 1)
  assert.deepEqual({ ...rounds[0], durationMs: 0 }, { rows: 2, failed: 1, durationMs: 0 })
})

test('a coalescing reconciler gathers the changes of several turns', async (t) => {
  const { table, target, reconciler } = setUp(t, { coalesceMs: 50 })
  table.upsert({ name: 'a', value: 1 })
  await reconciler.idle()
  target.calls.length = 0
  table.upsert({ name: 'b', value: 1 })
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  table.upsert({ name: 'c', value: 1 })
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update b,c'])
})
