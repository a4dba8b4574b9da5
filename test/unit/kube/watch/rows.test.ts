// One kind's objects into its table: lists that take away, objects that cannot be used, and rows
// that share what is equal.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findKind } from '../../../../src/kube/kinds.ts'
import { compareVersions } from '../../../../src/kube/watch/cluster.ts'
import { Compactor } from '../../../../src/kube/watch/compact.ts'
import { GarbledError } from '../../../../src/kube/watch/errors.ts'
import { identify, KindRows } from '../../../../src/kube/watch/rows.ts'
import type { Table } from '../../../../src/state/table.ts'
import { createTables } from '../../../../src/tables/tables.ts'

function services() {
  const { services: table } = createTables()
  const kind = findKind('v1', 'Service') ?? assert.fail('no kind')
  return { table, rows: new KindRows(kind, table as unknown as Table<object>) }
}

const service = (name: string, port: unknown = 80) => ({
  metadata: { namespace: 'a', name },
  spec: { clusterIP: '10.96.0.1', ports: [{ port, protocol: port === 9 ? 'SCTP' : 'TCP' }] },
})

test('a list takes away what it does not contain, at its end', () => {
  const { table, rows } = services()
  rows.put('a/old', service('old'))
  rows.beginList()
  rows.put('a/new', service('new'))
  assert.equal(table.size, 2)
  assert.equal(table.initialized, false)
  // Begun anew, as after 410 in the middle of paging: what was listed before does not count.
  rows.beginList()
  rows.put('a/other', service('other'))
  rows.endList()
  assert.deepEqual(
    [...table.rows()].map(({ name }) => name),
    ['other'],
  )
  assert.equal(table.initialized, true)
})

test('an object that cannot be used keeps its row, in a list too, until it is good or gone', () => {
  const { table, rows } = services()
  rows.put('a/web', service('web'))
  rows.beginList()
  rows.put('a/web', service('web', 'http'))
  rows.endList()
  assert.equal(table.get('a/web')?.ports[0]?.port, 80)
  assert.deepEqual(rows.badObjects(), ['a/web'])
  assert.match(rows.problems().errors[0]?.message ?? '', /Service a\/web: spec.ports\[0\].port/)
  rows.put('a/web', service('web', 81))
  assert.deepEqual(rows.badObjects(), [])
  rows.put('a/web', service('web', 0))
  rows.beginList()
  rows.endList()
  assert.deepEqual(rows.badObjects(), [])
  assert.equal(table.size, 0)
})

test('an object that asks nothing of a node has no row any more; notes come and go', () => {
  const { table, rows } = services()
  rows.put('a/web', service('web', 9))
  assert.match(rows.problems().notes[0]?.message ?? '', /SCTP is not supported/)
  rows.put('a/web', { ...service('web'), spec: { clusterIP: 'None' } })
  assert.equal(table.size, 0)
  assert.deepEqual(rows.problems(), { errors: [], notes: [] })
})

test('identify() refuses what nobody can name', () => {
  const good = { metadata: { namespace: 'a', name: 'b', resourceVersion: '1' } }
  assert.deepEqual(identify('Pod', good), { key: 'a/b', resourceVersion: '1' })
  assert.equal(identify('Node', { metadata: { ...good.metadata, namespace: '' } }).key, 'b')
  const bad = [{ name: 7 }, { name: 'a/b' }, { namespace: undefined }, { resourceVersion: 5 }]
  for (const each of [...bad, { namespace: '../x' }, { resourceVersion: '' }]) {
    const object = { metadata: { ...good.metadata, ...each } }
    assert.throws(() => identify('Pod', object), GarbledError, JSON.stringify(each))
  }
  for (const object of [undefined, null, 7, {}]) {
    assert.throws(() => identify('Pod', object), GarbledError)
  }
})

test('equal parts of rows are one object, and rows stay equal', () => {
  const compactor = new Compactor()
  const row = (n: number) => ({
    name: `pod-${n}`,
    labels: { app: 'web' },
    endpoints: [{ address: `10.0.0.${n}`, nodeName: ['node', '1'].join('-') }],
  })
  const first = compactor.compact(row(1))
  assert.deepEqual(first, row(1))
  assert.equal(compactor.compact(row(2)).labels, first.labels)
  // Bounded: what was not seen for two generations is forgotten.
  for (let n = 0; n < 20_000; n++) compactor.compact({ labels: { n: String(n) } })
  assert.notEqual(compactor.compact(row(3)).labels, first.labels)
})

test('compareVersions() compares numbers of any length, and nothing else', () => {
  assert.ok(compareVersions('9', '10') < 0)
  assert.ok(compareVersions('18446744073709551615', '18446744073709551614') > 0)
  assert.equal(compareVersions('7', '7'), 0)
  assert.equal(compareVersions('abc', '7'), 0)
})
