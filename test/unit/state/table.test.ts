// Rows, revisions, status, deletions, indices.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Table } from '../../../src/state/table.ts'

interface Row {
  readonly name: string
  readonly tags?: readonly string[] | undefined
  readonly nested?: Readonly<Record<string, unknown>>
}

const create = () => new Table<Row>('rows', ({ name }) => name)

function watch(table: Table<Row>): string[] {
  const seen: string[] = []
  table.subscribe((key) => seen.push(key))
  return seen
}

test('upsert() gives a row a new revision and the status pending', () => {
  const table = create()
  assert.equal(table.upsert({ name: 'a' }), true)
  table.setStatus('a', 1, { state: 'done' })
  assert.equal(table.upsert({ name: 'a', tags: ['x'] }), true)
  assert.deepEqual(table.entry('a'), {
    key: 'a',
    row: { name: 'a', tags: ['x'] },
    revision: 2,
    status: { state: 'pending' },
  })
  assert.equal(table.revision, 2)
  assert.equal(table.size, 1)
})

test('upsert() of an equal row changes nothing and wakes nobody', () => {
  const table = create()
  table.upsert({ name: 'a', tags: ['x'], nested: { b: { c: 1 }, d: [1, { e: null }] } })
  const seen = watch(table)
  const equal = { nested: { d: [1, { e: null }], b: { c: 1 } }, tags: ['x'], name: 'a' }
  assert.equal(table.upsert(equal), false)
  assert.deepEqual(seen, [])
  assert.equal(table.revision, 1)
})

test('upsert() tells every other difference', () => {
  const base: Row = { name: 'a', tags: ['x', 'y'], nested: { b: 1, c: {} } }
  const others: Row[] = [
    { name: 'a', tags: ['x', 'y'] },
    { ...base, tags: ['y', 'x'] },
    { ...base, tags: ['x'] },
    { ...base, tags: ['x', 'y', 'z'] },
    { ...base, nested: { b: '1', c: {} } },
    { ...base, nested: { b: 1, c: [] } },
    { ...base, nested: { b: 1, c: null } },
    { ...base, nested: { b: 1, d: {} } },
    { ...base, nested: { b: 1, c: {}, d: 1 } },
    { ...base, nested: { b: 1, toString: {} } },
  ]
  for (const other of others) {
    const table = create()
    table.upsert(base)
    assert.equal(table.upsert(other), true, JSON.stringify(other))
    assert.equal(table.upsert(base), true, JSON.stringify(other))
  }
})

test('a property that is undefined counts as absent', () => {
  const table = create()
  table.upsert({ name: 'a', tags: undefined })
  assert.equal(table.upsert({ name: 'a' }), false)
  table.upsert({ name: 'a', tags: [] })
  assert.equal(table.upsert({ name: 'a', tags: undefined }), true)
})

test('delete() keeps the row for the reconciler only when one asked for it', () => {
  const table = create()
  table.upsert({ name: 'a' })
  assert.equal(table.delete('a'), true)
  assert.equal(table.isDeleted('a'), false)
  table.keepDeletions()
  table.upsert({ name: 'b' })
  table.setStatus('b', 3, { state: 'done' })
  assert.equal(table.delete('b'), true)
  assert.equal(table.delete('b'), false)
  assert.equal(table.get('b'), undefined)
  assert.deepEqual([...table.deleted()], [table.deletedEntry('b')])
  assert.deepEqual(table.deletedEntry('b')?.status, { state: 'pending' })
  table.forgetDeleted('b')
  assert.equal(table.isDeleted('b'), false)
})

test('a row that comes back takes its deletion with it', () => {
  const table = create()
  table.keepDeletions()
  table.upsert({ name: 'a' })
  table.delete('a')
  table.upsert({ name: 'a' })
  assert.equal(table.isDeleted('a'), false)
  assert.equal(table.entry('a')?.revision, 3)
})

test('setStatus() is ignored for a row that changed meanwhile', () => {
  const table = create()
  table.keepDeletions()
  table.upsert({ name: 'a' })
  table.upsert({ name: 'a', tags: ['new'] })
  table.setStatus('a', 1, { state: 'done' })
  assert.equal(table.entry('a')?.status.state, 'pending')
  table.setStatus('a', 2, { state: 'error', error: 'no' })
  assert.deepEqual(table.entry('a')?.status, { state: 'error', error: 'no' })
  table.delete('a')
  table.setStatus('a', 2, { state: 'done' })
  assert.equal(table.deletedEntry('a')?.status.state, 'pending')
  table.setStatus('a', 3, { state: 'error', error: 'busy' })
  assert.deepEqual(table.deletedEntry('a')?.status, { state: 'error', error: 'busy' })
})

test('replaceAll() touches only what differs', () => {
  const table = create()
  for (const name of ['a', 'b', 'c']) table.upsert({ name })
  const seen = watch(table)
  table.replaceAll([{ name: 'd' }, { name: 'b', tags: ['x'] }, { name: 'a' }])
  assert.deepEqual(seen, ['d', 'b', 'c'])
  assert.deepEqual([...table.rows()].map(({ name }) => name).sort(), ['a', 'b', 'd'])
  table.replaceAll([])
  assert.equal(table.size, 0)
})

test('an index follows its rows, also those there before it', () => {
  const table = create()
  const names = (tag: string) => [...table.byIndex('tag', tag)].map(({ name }) => name).sort()
  table.upsert({ name: 'a', tags: ['x'] })
  table.addIndex('tag', ({ tags }) => tags ?? [])
  table.upsert({ name: 'b', tags: ['x', 'y'] })
  assert.deepEqual(names('x'), ['a', 'b'])
  assert.deepEqual(names('y'), ['b'])
  table.upsert({ name: 'b', tags: ['z'] })
  assert.deepEqual(names('x'), ['a'])
  assert.deepEqual(names('y'), [])
  table.delete('a')
  assert.deepEqual(names('x'), [])
  assert.deepEqual(names('z'), ['b'])
  assert.throws(() => [...table.byIndex('none', 'x')], /Cannot read index none of rows/)
})

test('markInitialized() wakes once, with the empty key', () => {
  const table = create()
  const seen = watch(table)
  assert.equal(table.initialized, false)
  table.markInitialized()
  table.markInitialized()
  assert.equal(table.initialized, true)
  assert.deepEqual(seen, [''])
})

test('subscribe() returns the way to stop', () => {
  const table = create()
  const seen: string[] = []
  const stop = table.subscribe((key) => seen.push(key))
  table.upsert({ name: 'a' })
  stop()
  table.upsert({ name: 'b' })
  assert.deepEqual(seen, ['a'])
})
