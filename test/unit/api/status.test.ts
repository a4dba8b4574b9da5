// GET /v1/status puts what is wrong first and answers also when a reading fails.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readStatus } from '../../../src/api/status.ts'
import { endpoint, FACTS, sources } from './rows.ts'

test('readStatus() of a healthy agent is ok and counts packets', async () => {
  const base = sources()
  const packets = [
    { reason: 'none', direction: 'from_pod', packets: 5n, bytes: 500n },
    { reason: 'no_route', direction: 'from_pod', packets: 2n, bytes: 80n },
  ]
  const status = await readStatus({ ...base, actual: { ...base.actual, packets: () => packets } })
  assert.equal(status.ok, true)
  assert.deepEqual([status.forwarded, status.dropped], [5n, 2n])
  assert.deepEqual(status.routingInUse, { vxlan: 0, native: 0 })
})

test('readStatus() lists problems, source errors, rows in error and full maps', async () => {
  const base = sources()
  base.tables.endpoints.keepDeletions()
  base.tables.endpoints.upsert(endpoint())
  const [entry] = base.tables.endpoints.entries()
  base.tables.endpoints.setStatus(entry?.key ?? '', entry?.revision ?? 0, {
    state: 'error',
    error: 'Cannot move eth0: ENOENT',
  })
  const maps = [
    {
      ...{ name: 'flows', id: 1, type: 'hash', keySize: 40, valueSize: 128 },
      ...{ maxEntries: 10, evicts: false, entries: 9 },
    },
    {
      ...{ name: 'recent', id: 3, type: 'lru_hash', keySize: 36, valueSize: 12 },
      ...{ maxEntries: 10, evicts: true, entries: 10 },
    },
    {
      ...{ name: 'events', id: 2, type: 'ringbuf', keySize: 0, valueSize: 0 },
      ...{ maxEntries: 4096, evicts: false },
    },
  ]
  const facts = {
    ...FACTS,
    problems: ['Cannot attach connect4: EPERM'],
    source: { ...FACTS.source, initialized: false, errors: ['pods.yaml:3: bad'] },
  }
  const actual = { ...base.actual, maps: () => maps }
  const status = await readStatus({ ...base, actual, facts: () => facts })
  assert.equal(status.ok, false)
  assert.deepEqual(status.wrong, [
    'Cannot attach connect4: EPERM',
    'Cannot prune yet: the first list of manifests is not complete',
    'pods.yaml:3: bad',
    'endpoints c0ffee/eth0: Cannot move eth0: ENOENT',
    'Cannot promise room in map flows: 9 of 10 entries used',
  ])
  assert.deepEqual(status.maps, [
    { name: 'flows', entries: 9, maxEntries: 10 },
    { name: 'recent', entries: 10, maxEntries: 10 },
  ])
  const counted = status.tables.find(({ name }) => name === 'endpoints')
  assert.deepEqual([counted?.rows, counted?.pending, counted?.error], [1, 0, 1])
})

test('readStatus() turns a failed reading into a line and goes on', async () => {
  const base = sources()
  const maps = () => Promise.reject(new Error('Cannot open map flows: ENOENT'))
  const status = await readStatus({ ...base, actual: { ...base.actual, maps } })
  assert.deepEqual(status.wrong, ['Cannot open map flows: ENOENT'])
  assert.equal(status.nodeName, 'node-a')
})
