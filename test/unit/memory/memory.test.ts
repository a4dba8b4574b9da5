// Memory is given back once, after the first lists and not before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { giveBackOnceRead } from '../../../src/memory.ts'
import { Table } from '../../../src/state/table.ts'

const tableOf = (name: string) => new Table<{ readonly name: string }>(name, (row) => row.name)

test('giveBackOnceRead() waits for every first list and for the reconciler', async () => {
  const [one, two] = [tableOf('one'), tableOf('two')]
  const order: string[] = []
  const idle = async () => void order.push('idle')
  const done = giveBackOnceRead([one, two], idle, 0).then((worth) => order.push(`done ${worth}`))
  one.markInitialized()
  two.upsert({ name: 'a row is no list' })
  await new Promise(setImmediate)
  assert.deepEqual(order, [])
  two.markInitialized()
  await done
  assert.deepEqual(order, ['idle', 'done true'])
})

test('giveBackOnceRead() lets a small heap be', async () => {
  assert.equal(await giveBackOnceRead([], async () => {}, Number.POSITIVE_INFINITY), false)
})
