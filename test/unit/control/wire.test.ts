// All derivations together: initialization, claims, scale, and random sequences against a rebuild.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Conflict, wire } from '../../../src/control/wire.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { createTables } from '../../../src/tables/tables.ts'
import { makeEndpoint, makePort } from '../../support/service-rows.ts'
import {
  derived,
  initialize,
  node,
  SETTINGS,
  service,
  slice,
  turn,
} from '../../support/wire-scene.ts'

function start(t: TestContext) {
  const tables = createTables()
  const conflicts: Conflict[] = []
  const resolved: string[] = []
  const stop = wire(
    tables,
    SETTINGS,
    (conflict) => conflicts.push(conflict),
    ({ table, key, loser }) => resolved.push(`${table} ${key} ${loser}`),
  )
  t.after(stop)
  return { tables, conflicts, resolved }
}

test('nothing is derived before the first lists, then all is initialized', async (t) => {
  const { tables } = start(t)
  tables.services.upsert(service('web', '10.96.0.1'))
  tables.nodes.upsert(node('node-2', '192.168.0.2', '10.0.2.0/24'))
  tables.services.markInitialized()
  await turn()
  assert.deepEqual(derived(tables), [[], [], []])
  assert.equal(tables.frontends.initialized, false)
  initialize(tables)
  await turn()
  const { frontends, destinations, nodeRoutes } = tables
  assert.deepEqual([frontends.size, destinations.size, nodeRoutes.size], [1, 2, 1])
  for (const table of [frontends, destinations, nodeRoutes]) assert.equal(table.initialized, true)
})

test('a slice that comes before its Service waits for it', async (t) => {
  const { tables } = start(t)
  initialize(tables)
  tables.endpointSlices.upsert(slice('web-1', 'web', ['10.0.1.1']))
  await turn()
  assert.equal(tables.frontends.size, 0)
  tables.services.upsert(service('web', '10.96.0.1'))
  await turn()
  assert.equal(tables.frontends.get('10.96.0.1:80/TCP')?.backends.length, 1)
  tables.services.delete('default/web')
  await turn()
  assert.equal(tables.frontends.size, 0)
})

test('this node’s own row changes the overlay routes and is no destination', async (t) => {
  const { tables } = start(t)
  initialize(tables)
  tables.nodes.upsert(node('far', '192.168.9.2', '10.0.2.0/24'))
  await turn()
  assert.equal(tables.nodeRoutes.size, 0)
  tables.nodes.upsert(node('node-1', '192.168.0.1', '10.0.1.0/24'))
  await turn()
  assert.equal(tables.nodeRoutes.get('10.0.2.0/24')?.nextHop, '10.0.1.1')
  assert.deepEqual(
    [...tables.destinations.rows()].map(({ nodeName }) => nodeName),
    ['far', 'far'],
  )
  tables.nodes.upsert(node('node-1', '192.168.0.1', '10.0.7.0/24'))
  await turn()
  assert.equal(tables.nodeRoutes.get('10.0.2.0/24')?.nextHop, '10.0.7.1')
})

test('a podCIDR or an address claimed twice is told, and the first by name has it', async (t) => {
  const { tables, conflicts } = start(t)
  initialize(tables)
  tables.services.upsert(service('b', '10.96.0.1'))
  tables.services.upsert(service('a', '10.96.0.1'))
  tables.nodes.upsert(node('node-3', '192.168.0.3', '10.0.2.0/24'))
  tables.nodes.upsert(node('node-2', '192.168.0.2', '10.0.2.0/24'))
  await turn()
  assert.equal(tables.frontends.get('10.96.0.1:80/TCP')?.service, 'default/a')
  assert.equal(tables.destinations.get('10.0.2.0/24')?.nodeName, 'node-2')
  assert.deepEqual(
    conflicts.map(({ table, key, owner, loser }) => `${table} ${key} ${owner} ${loser}`),
    [
      'frontends 10.96.0.1:80/TCP default/a default/b',
      'destinations 10.0.2.0/24 node-2 node-3',
      'nodeRoutes 10.0.2.0/24 node-2 node-3',
    ],
  )
})

test('nobody takes the address of another Service by an external address', async (t) => {
  const { tables, conflicts, resolved } = start(t)
  initialize(tables)
  const externalIps = [parseAddress('10.96.0.1')]
  tables.services.upsert({ ...service('a', '10.96.0.2'), externalIps })
  await turn()
  assert.equal(tables.frontends.get('10.96.0.1:80/TCP')?.service, 'default/a')
  tables.services.upsert(service('b', '10.96.0.1'))
  await turn()
  assert.equal(tables.frontends.get('10.96.0.1:80/TCP')?.service, 'default/b')
  assert.deepEqual(conflicts, [
    { table: 'frontends', key: '10.96.0.1:80/TCP', owner: 'default/b', loser: 'default/a' },
  ])
  assert.deepEqual(resolved, [])
  tables.services.delete('default/b')
  await turn()
  assert.equal(tables.frontends.get('10.96.0.1:80/TCP')?.service, 'default/a')
  assert.deepEqual(resolved, ['frontends 10.96.0.1:80/TCP default/a'])
})

test('this node’s addresses and zone move ports and hints, other labels nothing', async (t) => {
  const { tables } = start(t)
  initialize(tables)
  const { nodes, services, frontends, endpointSlices } = tables
  const ports = [makePort({ name: 'http', nodePort: 30080 })]
  services.upsert({ ...service('web', '10.96.0.1'), ports })
  const hinted = (address: string, zone: string) => makeEndpoint(address, { hintedZones: [zone] })
  const endpoints = [hinted('10.0.1.1', 'a'), hinted('10.0.2.1', 'b')]
  endpointSlices.upsert({ ...slice('web-1', 'web', []), endpoints })
  const own = node('node-1', '192.168.0.1', '10.0.1.0/24')
  const seen = () => [
    [...frontends.entries()].map(({ key }) => key).sort(),
    frontends.get('10.96.0.1:80/TCP')?.backends.length,
  ]
  await turn()
  assert.deepEqual(seen(), [['10.96.0.1:80/TCP'], 2])
  const labels = { 'topology.kubernetes.io/zone': 'a' }
  nodes.upsert({ ...own, labels })
  await turn()
  assert.deepEqual(seen(), [['10.96.0.1:80/TCP', '192.168.0.1:30080/TCP'], 1])
  nodes.upsert({ ...own, labels, addresses: [parseAddress('192.168.0.9')] })
  await turn()
  assert.deepEqual(seen(), [['10.96.0.1:80/TCP', '192.168.0.9:30080/TCP'], 1])
  const reads = t.mock.method(endpointSlices, 'byIndex')
  const other = { ...labels, 'example.com/heartbeat': '2' }
  nodes.upsert({ ...own, labels: other, addresses: [parseAddress('192.168.0.9')] })
  await turn()
  assert.equal(reads.mock.callCount(), 0)
  nodes.delete('node-1')
  await turn()
  assert.deepEqual(seen(), [['10.96.0.1:80/TCP'], 2])
})

test('with 10 000 Services a changed slice reads one slice and changes one row', async (t) => {
  const { tables } = start(t)
  const { services, endpointSlices, frontends } = tables
  for (let n = 0; n < 10_000; n++) {
    const at = `${n >> 8}.${n & 255}`
    services.upsert(service(`s${n}`, `10.96.${at}`))
    const addresses = Array.from({ length: 10 }, (_, host) => `10.${host}.${at}`)
    endpointSlices.upsert(slice(`s${n}-1`, `s${n}`, addresses))
  }
  initialize(tables)
  await turn()
  assert.equal(frontends.size, 10_000)
  assert.equal(frontends.get('10.96.39.15:80/TCP')?.backends.length, 10)
  const changed: string[] = []
  const reads: string[] = []
  frontends.subscribe((key) => changed.push(key))
  t.mock.method(endpointSlices, 'byIndex', (_name: string, key: string) => {
    reads.push(key)
    return [slice('s7-1', 's7', ['10.0.0.1'])].values()
  })
  t.mock.method(services, 'rows', () => assert.fail('a change must not scan the Services'))
  t.mock.method(endpointSlices, 'rows', () => assert.fail('a change must not scan the slices'))
  endpointSlices.upsert(slice('s7-1', 's7', ['10.0.0.1']))
  await turn()
  assert.deepEqual(reads, ['default/s7'])
  assert.deepEqual(changed, ['10.96.0.7:80/TCP'])
})
