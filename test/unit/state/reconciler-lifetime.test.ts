// settled(), stop(), prune and resync().
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

test('settled() tells a deletion carried out from one that failed', async (t) => {
  const { table, target, reconciler } = setUp(t)
  for (const name of ['a', 'b']) table.upsert({ name, value: 1 })
  await reconciler.idle()
  target.failing.set('b', 'device is busy')
  for (const name of ['a', 'b']) table.delete(name)
  assert.equal(await reconciler.settled('a'), undefined)
  assert.deepEqual((await reconciler.settled('b'))?.status, {
    state: 'error',
    error: 'device is busy',
  })
  target.failing.clear()
  while (table.isDeleted('b')) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.equal(target.held.size, 0)
  assert.equal(await reconciler.settled('never'), undefined)
})

test('settled() does not wait for the rest of the round', async (t) => {
  const { table, target, reconciler } = setUp(t, { batchSize: 1 })
  const hold = gate()
  target.during = async (call) => {
    if (call === 'update b') await hold.opened
  }
  for (const name of ['a', 'b']) table.upsert({ name, value: 1 })
  assert.equal((await reconciler.settled('a'))?.status.state, 'done')
  assert.equal(table.entry('b')?.status.state, 'pending')
  hold.open()
  await reconciler.idle()
})

test('settled() throws when the reconciler stops before', async () => {
  const table = createTable()
  const reconciler = new Reconciler(table, new Target(), { coalesceMs: 3_600_000 })
  table.upsert({ name: 'a', value: 1 })
  const settled = reconciler.settled('a')
  await reconciler.stop()
  await assert.rejects(settled, /Cannot settle a of rows: the reconciler is stopped/)
})

test('stop() ends after the call in progress, and a later start goes on', async (t) => {
  const { table, target, reconciler } = setUp(t, { batchSize: 1 })
  let stopping: Promise<void> | undefined
  target.during = () => {
    stopping ??= reconciler.stop()
  }
  for (const name of ['a', 'b']) table.upsert({ name, value: 1 })
  await reconciler.idle()
  await stopping
  assert.deepEqual(target.calls, ['update a'])
  table.delete('a')
  reconciler.start()
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update a', 'delete a', 'update b'])
})

test('prune runs once, only after the first list, and after the rows', async (t) => {
  const { table, target, reconciler } = setUp(t)
  target.held.set('stale', 1)
  table.upsert({ name: 'a', value: 1 })
  await reconciler.idle()
  assert.deepEqual([...target.held.keys()], ['stale', 'a'])
  table.upsert({ name: 'b', value: 1 })
  table.markInitialized()
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update a', 'update b', 'prune'])
  assert.deepEqual([...target.held.keys()], ['a', 'b'])
})

test('prune waits for no failing row, for it may be what makes room', async (t) => {
  const { table, target, reconciler } = setUp(t, { retryMs: () => 3_600_000 })
  target.failing.set('a', 'map is full')
  table.upsert({ name: 'a', value: 1 })
  table.markInitialized()
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update a', 'prune'])
})

test('a prune that fails is reported once and tried again', async (t) => {
  const transitions: string[] = []
  const { table, target, reconciler } = setUp(t, {
    retryMs: () => 0,
    onError: (_table, key, error) => transitions.push(`${key} ${error?.message ?? 'ok'}`),
  })
  target.failPrunes = 2
  target.held.set('stale', 1)
  table.markInitialized()
  await reconciler.idle()
  assert.deepEqual(target.calls, ['prune', 'prune', 'prune'])
  assert.deepEqual(transitions, ['(prune) cannot prune', '(prune) ok'])
  assert.equal(target.held.size, 0)
})

test('resync() repairs what somebody else changed in the target', async (t) => {
  const { table, target, reconciler } = setUp(t)
  for (const name of ['a', 'b']) table.upsert({ name, value: 1 })
  table.markInitialized()
  await reconciler.idle()
  target.held.delete('a')
  target.held.set('intruder', 1)
  reconciler.resync()
  await reconciler.idle()
  assert.deepEqual([...target.held.keys()].sort(), ['a', 'b'])
})

test('resync() asked for during a round runs after it', async (t) => {
  const { table, target, reconciler } = setUp(t)
  table.markInitialized()
  target.during = () => {
    target.during = undefined
    reconciler.resync()
  }
  table.upsert({ name: 'a', value: 1 })
  await reconciler.idle()
  assert.deepEqual(target.calls, ['update a', 'prune', 'update a', 'prune'])
})
