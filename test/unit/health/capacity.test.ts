// Whether the Services fit into their maps: counted from rows, told once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Address } from '../../../src/net/address.ts'
import {
  ServiceCapacity,
  type ServiceMapName,
  serviceNeeds,
  unservedServices,
} from '../../../src/service-capacity.ts'
import type { Frontend } from '../../../src/tables/desired.ts'
import { createTables } from '../../../src/tables/tables.ts'
import { makeFrontend } from '../../support/service-rows.ts'

const backends = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ address: `10.0.1.${n}` as Address, port: 80 }))

test('frontends of one port share their sets, a Maglev set is its table', () => {
  const shared = backends(3)
  const local = backends(1)
  const rows: Frontend[] = [
    makeFrontend({ backends: shared }),
    makeFrontend({ port: 30080, backends: shared, externalBackends: local }),
    makeFrontend({ port: 81 }),
    makeFrontend({ port: 82, backends: backends(2), balancing: 'maglev' }),
  ]
  assert.deepEqual(serviceNeeds(rows, 251), { services: 4, backends: 3 + 1 + 251 })
})

function build(room: Partial<Record<ServiceMapName, number>>) {
  const { frontends } = createTables()
  const told: string[] = []
  const log = {
    info: (_facts: object, text: string) => told.push(text),
    warn: ({ map }: { map: string }, text: string) => told.push(`${map}: ${text}`),
  } as never
  let now = 0
  const roomOf = (map: ServiceMapName) => room[map]
  const capacity = new ServiceCapacity({ frontends, maglevSize: 251, roomOf, log, now: () => now })
  const hold = (count: number) => {
    frontends.replaceAll(Array.from({ length: count }, (_, n) => makeFrontend({ port: n + 1 })))
    now += 10_000
    capacity.observeRound()
    return capacity.problems().map(({ reason, text }) => `${reason}: ${text}`)
  }
  return { told, hold, capacity, frontends }
}

test('before a map is full it is said, once, and when there is room again', () => {
  const { told, hold } = build({ services: 10 })
  assert.deepEqual(hold(8), [])
  const near = 'ServiceMapNearlyFull: Cannot promise room: '
  assert.deepEqual(hold(9), [`${near}Services need 9 of the 10 entries of map services`])
  assert.equal(hold(10).length, 1)
  const full = 'ServiceMapFull: Cannot serve every Service: '
  assert.deepEqual(hold(11), [`${full}Services need 11 of the 10 entries of map services`])
  assert.deepEqual(hold(2), [])
  assert.deepEqual(told, [
    'services: Services will soon not fit',
    'services: Not all Services fit',
    'Services have room again',
  ])
})

test('rounds in quick succession are one look more, and absent maps are none', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { capacity, frontends, hold } = build({})
  assert.deepEqual(hold(100), [])
  const rows = t.mock.method(frontends, 'rows')
  for (let n = 0; n < 5; n++) capacity.observeRound()
  assert.equal(rows.mock.callCount(), 0)
  t.mock.timers.tick(10_000)
  assert.equal(rows.mock.callCount(), 1)
})

test('Services that are not served are named once', () => {
  const { frontends } = createTables()
  for (const port of [80, 81, 82]) {
    frontends.upsert(makeFrontend({ port, service: port === 82 ? 'default/b' : 'default/a' }))
  }
  for (const { key, revision } of [...frontends.entries()]) {
    frontends.setStatus(key, revision, { state: 'error', error: 'map is full' })
  }
  assert.deepEqual(unservedServices(frontends.entries()), ['default/a', 'default/b'])
})
