// Services over maps in memory: order of writes, ids, sets, repair.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type * as layout from '../../../src/datapath/layout.gen.ts'
import { readFrontends } from '../../../src/datapath/service-sets.ts'
import { Services } from '../../../src/datapath/services.ts'
import { parseAddress } from '../../../src/net/address.ts'
import type { Frontend } from '../../../src/tables/desired.ts'
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

function build(backendRoom?: number) {
  const services = new MemoryMap<layout.ServiceKey, layout.Service>('services')
  const backends = new MemoryMap<layout.BackendKey, layout.Backend>('backends', backendRoom)
  const purged: string[] = []
  const purge = ({ address, port }: { address: string; port: number }) =>
    purged.push(`${address} ${port}`)
  const operations = new Services(services, backends, { graceMs: 5, purge })
  return { services, backends, operations, purged }
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
  assert.deepEqual(actual?.backends, frontend().backends)
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
  await first.operations.update([frontend(), frontend({ port: 443 })])
  const before = readFrontends(first.services, first.backends)
  const second = new Services(first.services, first.backends, { graceMs: 5 })
  second.restore()
  first.services.journal.length = 0
  first.backends.journal.length = 0
  await second.update([frontend(), frontend({ port: 443 })])
  await second.prune([frontend(), frontend({ port: 443 })])
  assert.deepEqual([...first.services.journal, ...first.backends.journal], [])
  await second.update([frontend({ port: 8443 })])
  const ids = readFrontends(first.services, first.backends).map(({ id }) => id)
  assert.equal(new Set(ids).size, 3, 'a new frontend gets an id of its own')
  assert.equal(before.length, 2)
})

test('Services.prune() removes what is not wanted and sets that nobody names', async () => {
  const { services, backends, operations } = build()
  await operations.update([frontend(), frontend({ port: 443 })])
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
  assert.deepEqual(actual?.backends, frontend().backends)
})

test('Services.update() fails only the one without room, and leaves no half set', async () => {
  const { services, backends, operations } = build(3)
  const failures = await operations.update([frontend(), frontend({ port: 443 })])
  assert.deepEqual([...failures.keys()], ['10.96.0.10:443/TCP'])
  assert.match(String([...failures.values()][0]?.message), /map is full \(3 entries\)/)
  assert.equal(services.size, 1)
  assert.equal(backends.size, 2)
  const retried = await operations.update([
    frontend({ port: 443, backends: [backend('10.0.1.5')] }),
  ])
  assert.equal(retried.size, 0)
})

test('Services ends the flows of UDP backends that are gone, and leaves those of TCP', async () => {
  const { operations, purged } = build()
  const udp = frontend({ protocol: 'UDP', port: 53 })
  await operations.update([frontend(), udp])
  const fewer = { ...udp, backends: [backend('10.0.2.7')] }
  await operations.update([frontend({ backends: [] }), fewer])
  assert.deepEqual(purged, ['10.0.1.5 8080'])
  await operations.delete([udp])
  assert.deepEqual(purged, ['10.0.1.5 8080', '10.0.2.7 8080'])
})
