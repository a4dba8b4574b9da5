// Services over maps in memory: order of writes, ids, sets, repair.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import * as layout from '../../../src/datapath/layout.gen.ts'
import { readFrontends } from '../../../src/datapath/service-read.ts'
import { Services } from '../../../src/datapath/services.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import type { Backend, Frontend } from '../../../src/tables/desired.ts'
import { MemoryMap } from '../../support/memory-map.ts'
import { makeFrontend } from '../../support/service-rows.ts'

const backend = (text: string, port = 8080) => ({ address: parseAddress(text), port })

function frontend(over: Partial<Frontend> = {}): Frontend {
  return makeFrontend({
    address: parseAddress('10.96.0.10'),
    backends: [backend('10.0.1.5'), backend('10.0.2.7')],
    ...over,
  })
}

/** The same set for everybody. */
function withBackends(row: Frontend, backends: readonly Backend[]): Frontend {
  return { ...row, backends, externalBackends: backends }
}

const plain = ({ address, port }: Backend): Backend => ({ address, port })

function build(backendRoom?: number) {
  const services = new MemoryMap<layout.ServiceKey, layout.Service>('services')
  const backends = new MemoryMap<layout.BackendKey, layout.Backend>('backends', backendRoom)
  const sourceRanges = new MemoryMap<layout.SourceRangeKey, number>('source_ranges')
  const maps = { services, backends, sourceRanges }
  const operations = new Services(maps, { graceMs: 5, maglevSize: 13 })
  return { ...maps, maps, operations }
}

test('Services.update() writes the backends before the frontend that names them', async () => {
  const { services, backends, operations } = build()
  backends.journal.length = 0
  const order: string[] = []
  const watch = <K, V>(map: MemoryMap<K, V>) => {
    const update = map.updateMany.bind(map)
    map.updateMany = (entries) => {
      if (entries.length > 0) order.push(map.name)
      return update(entries)
    }
  }
  watch(services)
  watch(backends)
  assert.equal((await operations.update([frontend()])).size, 0)
  assert.deepEqual(order, ['backends', 'services'])
  const [actual] = readFrontends(services, backends)
  assert.deepEqual(actual?.backends.map(plain), frontend().backends)
  assert.equal(actual?.missingBackends, 0)
})

test('Services.update() swaps to a new set; the old one goes after the grace', async () => {
  const { services, backends, operations } = build()
  await operations.update([frontend()])
  const [before] = readFrontends(services, backends)
  await operations.update([frontend({ backends: [backend('10.0.3.9')] })])
  const [after] = readFrontends(services, backends)
  assert.equal(after?.id, before?.id)
  assert.notEqual(after?.setId, before?.setId)
  assert.equal(backends.size, 3, 'the old set is still there')
  await sleep(50)
  assert.equal(backends.size, 1)
})

test('Services.update() given an equal row again touches no map', async () => {
  const { services, backends, operations } = build()
  await operations.update([frontend()])
  services.journal.length = 0
  backends.journal.length = 0
  await operations.update([frontend()])
  assert.deepEqual([...services.journal, ...backends.journal], [])
})

test('Services keeps a frontend without backends, with count 0', async () => {
  const { services, backends, operations } = build()
  await operations.update([frontend({ backends: [] })])
  const [actual] = readFrontends(services, backends)
  assert.deepEqual(actual?.backends, [])
  assert.equal(actual?.setId, 0)
})

test('Services.delete() removes the frontend at once and its set after the grace', async () => {
  const { services, backends, operations } = build()
  await operations.update([frontend()])
  await operations.delete([frontend()])
  assert.equal(services.size, 0)
  assert.equal(backends.size, 2)
  await sleep(50)
  assert.equal(backends.size, 0)
  assert.equal((await operations.delete([frontend()])).size, 0, 'the absent may be deleted')
})

test('Services.restore() takes over ids and sets: the first round changes nothing', async () => {
  const first = build()
  await first.operations.update([frontend(), frontend({ port: 443, portName: 'https' })])
  const before = readFrontends(first.services, first.backends)
  const second = new Services(first.maps, { graceMs: 5, maglevSize: 13 })
  second.restore()
  first.services.journal.length = 0
  first.backends.journal.length = 0
  await second.update([frontend(), frontend({ port: 443, portName: 'https' })])
  await second.prune([frontend(), frontend({ port: 443, portName: 'https' })])
  assert.deepEqual([...first.services.journal, ...first.backends.journal], [])
  await second.update([frontend({ port: 8443, portName: 'more' })])
  const ids = readFrontends(first.services, first.backends).map(({ id }) => id)
  assert.equal(new Set(ids).size, 3, 'a new frontend gets an id of its own')
  assert.equal(before.length, 2)
})

test('Services.prune() removes what is not wanted and sets that nobody names', async () => {
  const { services, backends, operations } = build()
  await operations.update([frontend(), frontend({ port: 443, portName: 'https' })])
  backends.updateMany([
    [
      { setId: 99, slot: 0 },
      { ...backend('10.0.9.9'), hits: 0n },
    ],
  ])
  await operations.prune([frontend()])
  assert.deepEqual(
    readFrontends(services, backends).map(({ port }) => port),
    [80],
  )
  assert.equal(backends.size, 4, 'the foreign set is gone, the old one goes after the grace')
  await sleep(50)
  assert.equal(backends.size, 2)
})

test('Services.prune() puts back what somebody else removed', async () => {
  const { services, backends, operations } = build()
  await operations.update([frontend()])
  const [key] = [...services.entries()].map(([k]) => k)
  assert.ok(key)
  services.deleteMany([key])
  backends.deleteMany([{ setId: 1, slot: 1 }])
  await operations.prune([frontend()])
  const [actual] = readFrontends(services, backends)
  assert.deepEqual(actual?.backends.map(plain), frontend().backends)
})

test('Services.update() fails only the one without room, and leaves no half set', async () => {
  const { services, backends, operations } = build(3)
  const failures = await operations.update([frontend(), frontend({ port: 443, portName: 'https' })])
  assert.deepEqual([...failures.keys()], ['10.96.0.10:443/TCP'])
  assert.match(String([...failures.values()][0]?.message), /map is full \(3 entries\)/)
  assert.equal(services.size, 1)
  assert.equal(backends.size, 2)
  const retried = await operations.update([
    frontend({ port: 443, portName: 'https', backends: [backend('10.0.1.5')] }),
  ])
  assert.equal(retried.size, 0)
})

test('frontends of one service port share its number and sets, others do not', async () => {
  const { operations, services, backends } = build()
  const node = parseAddress('192.168.0.1')
  const nodePort = frontend({ address: node, port: 30080, kind: 'NodePort' })
  const other = frontend({ port: 443, portName: 'https' })
  await operations.update([frontend(), nodePort, other])
  const found = readFrontends(services, backends)
  const [web, byNode, https] = [80, 30080, 443].map((at) => found.find(({ port }) => port === at))
  assert.deepEqual([byNode?.id, byNode?.setId], [web?.id, web?.setId])
  assert.notEqual(https?.id, web?.id)
  assert.equal(backends.size, 4)
  await operations.delete([frontend()])
  await sleep(50)
  assert.equal(backends.size, 4, 'the NodePort still has the set')
})

test('an external set, its emptiness, affinity and flags are as the row says', async () => {
  const { operations, services, backends } = build()
  const row = frontend({
    externalBackends: [],
    externalWhenEmpty: 'drop',
    affinitySeconds: 30,
    forwarding: 'dsr',
  })
  await operations.update([row])
  const [[, value]] = [...services.entries()] as [[unknown, layout.Service]]
  const { DSR, DROP_EMPTY_EXTERNAL } = layout.ServiceFlags
  assert.equal(value.flags, DSR | DROP_EMPTY_EXTERNAL)
  assert.equal(value.affinitySeconds, 30)
  assert.deepEqual(value.external, { id: 0, count: 0 })
  assert.equal(value.internal.count, 2)
  await operations.update([{ ...row, affinitySeconds: 0 }])
  assert.equal([...services.entries()][0]?.[1].affinitySeconds, 0)
  assert.equal(backends.size, 2)
})

test('a set in the place of another takes over what was counted for its backends', async () => {
  const { operations, services, backends } = build()
  await operations.update([frontend()])
  const [first] = [...backends.entries()]
  assert.ok(first)
  backends.updateMany([[first[0], { ...first[1], hits: 7n }]])
  await operations.update([withBackends(frontend(), [backend('10.0.1.5'), backend('10.0.9.9')])])
  const [actual] = readFrontends(services, backends)
  assert.deepEqual(
    actual?.backends.map(({ hits }) => hits),
    [7n, 0n],
  )
})

test('a Maglev frontend has a table of all its slots, also after a restart', async () => {
  const first = build()
  const row = frontend({ balancing: 'maglev' })
  await first.operations.update([row])
  assert.equal(first.backends.size, 13)
  const second = new Services(first.maps, { graceMs: 5, maglevSize: 13 })
  second.restore()
  first.services.journal.length = 0
  first.backends.journal.length = 0
  await second.update([row])
  await second.prune([row])
  assert.deepEqual([...first.services.journal, ...first.backends.journal], [])
})

test('source ranges are there before their frontend, follow it, and go with it', async () => {
  const { operations, sourceRanges, services } = build()
  const ranges = (...texts: string[]) => frontend({ sourceRanges: texts.map(parsePrefix) })
  await operations.update([ranges('10.0.0.0/8', '2001:db8::/32')])
  const lengths = () => [...sourceRanges.keys()].map(({ prefixLength }) => prefixLength)
  assert.deepEqual(lengths(), [32 + 96 + 8, 32 + 32])
  assert.equal([...services.entries()][0]?.[1].flags, layout.ServiceFlags.SOURCE_RANGES)
  await operations.update([ranges('10.0.0.0/8')])
  assert.deepEqual(lengths(), [32 + 96 + 8])
  await operations.update([frontend()])
  assert.deepEqual(lengths(), [])
  await operations.update([ranges('10.0.0.0/8')])
  await operations.prune([])
  assert.deepEqual(lengths(), [])
})

test('source ranges are those of all frontends of a service port, in whatever order', async () => {
  const { operations, sourceRanges } = build()
  const balancer = (address: string, range: string) => ({
    ...frontend({ sourceRanges: [parsePrefix(range)], backends: [], externalBackends: [] }),
    address: parseAddress(address),
  })
  const rows = [
    frontend(),
    balancer('192.0.2.1', '0.0.0.0/0'),
    balancer('2001:db8::1', '::/0'),
    { ...frontend(), port: 81 },
  ]
  const lengths = () => [...sourceRanges.keys()].map(({ prefixLength }) => prefixLength).sort()
  await operations.update(rows)
  assert.deepEqual(lengths(), [32 + 96, 32])
  await operations.prune(rows)
  assert.deepEqual(lengths(), [32 + 96, 32])
})

test('a frontend that does not fit is named with its Service, and keeps what it had', async () => {
  const { operations, services, backends } = build(3)
  await operations.update([frontend({ backends: [backend('10.0.1.5')] })])
  const many = ['1', '2', '3'].map((last) => backend(`10.0.1.${last}`))
  const failures = await operations.update([withBackends(frontend(), many)])
  const [error] = failures.values()
  assert.match(String(error?.message), /Cannot serve default\/web at 10.96.0.10:80\/TCP: .*full/)
  const [actual] = readFrontends(services, backends)
  assert.deepEqual(actual?.backends.map(plain), [backend('10.0.1.5')])
})
