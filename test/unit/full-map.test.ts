// A map of Services on its way to full, as an operator sees it: a warning before, then a condition,
// a metric and an Event that name the Service that did not fit, while the others go on.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readStatus } from '../../src/api/status.ts'
import { agentConditions, agentProblems } from '../../src/conditions.ts'
import { wire } from '../../src/control/wire.ts'
import type * as layout from '../../src/datapath/layout.gen.ts'
import { Services } from '../../src/datapath/services.ts'
import { Metrics } from '../../src/observe/metrics.ts'
import { ServiceCapacity, unservedServices } from '../../src/service-capacity.ts'
import { Reconciler } from '../../src/state/reconciler.ts'
import { createTables } from '../../src/tables/tables.ts'
import { MemoryMap } from '../support/memory-map.ts'
import { initialize, node, SETTINGS, service, slice, turn } from '../support/wire-scene.ts'
import { FACTS, sources } from './api/rows.ts'

/** Room for ten frontends; Services have one each. */
function build() {
  const tables = createTables()
  const services = new MemoryMap<layout.ServiceKey, layout.Service>('services', 10)
  const backends = new MemoryMap<layout.BackendKey, layout.Backend>('backends')
  const sourceRanges = new MemoryMap<layout.SourceRangeKey, number>('source_ranges')
  const operations = new Services({ services, backends, sourceRanges }, { graceMs: 0 })
  let nowMs = 0
  const log = { info: () => {}, warn: () => {} } as never
  const roomOf = (map: string) => (map === 'services' ? services : backends).maxEntries
  const { frontends } = tables
  const now = () => nowMs
  const capacity = new ServiceCapacity({ frontends, maglevSize: 13, roomOf, log, now })
  const reconciler = new Reconciler(frontends, operations, {
    onRound: () => capacity.observeRound(),
    retryMs: () => 1,
  })
  const stop = wire(tables, SETTINGS)
  initialize(tables)
  tables.nodes.upsert(node('node-1', '192.168.0.1', '10.1.1.0/24'))
  reconciler.start()
  const parts = {
    ...{ nodeName: 'node-1', tables },
    node: { problem: undefined, conflicts: () => [] },
    duties: { problems: () => capacity.problems() },
  }
  const settle = async () => {
    await turn()
    await reconciler.idle()
    nowMs += 60_000
    capacity.observeRound()
  }
  return {
    ...{ tables, services, parts },
    settle,
    /** Adds Services up to this number. */
    hold: async (count: number) => {
      for (let n = 1; n <= count; n++) {
        tables.services.upsert({ ...service(`web-${n}`, `10.96.0.${n}`), uid: `uid-${n}` })
        tables.endpointSlices.upsert(slice(`web-${n}-a`, `web-${n}`, ['10.1.1.5']))
      }
      await settle()
    },
    stop: async () => {
      stop()
      await reconciler.stop()
      operations.stop()
      capacity.stop()
    },
  }
}

type Scene = ReturnType<typeof build>

/** "reason kind name uid" of what becomes an Event. */
function events({ parts }: Scene): string[] {
  return agentConditions(parts).map(({ reason, about: { kind, name, uid } }) => {
    return `${reason} ${kind} ${name} ${uid}`
  })
}

async function wrong({ tables, parts }: Scene): Promise<readonly string[]> {
  const facts = () => ({ ...FACTS, problems: agentProblems(parts) })
  return (await readStatus({ ...sources({ tables }), facts })).wrong
}

async function unserved({ tables }: Scene): Promise<string[]> {
  const none = (() => []) as never
  const metrics = new Metrics('1', {
    ...{ tables: none, maps: none, packets: none, flows: () => undefined },
    ...{ eventsLost: () => 0, audited: () => ({ egress: 0, ingress: 0 }), policyClosed: none },
    source: () => FACTS.source,
    unserved: () => unservedServices(tables.frontends.entries()),
  })
  return (await metrics.text()).split('\n').filter((line) => /^weir_services?_unserved/.test(line))
}

test('a map that fills is told before, then who does not fit by name; others go on', async () => {
  const scene = build()
  await scene.hold(8)
  assert.deepEqual([await wrong(scene), events(scene)], [[], []])

  await scene.hold(9)
  assert.deepEqual(await wrong(scene), [
    'Cannot promise room: Services need 9 of the 10 entries of map services',
  ])
  assert.deepEqual(events(scene), ['ServiceMapNearlyFull Node node-1 node-1'])
  assert.deepEqual(await unserved(scene), ['weir_services_unserved 0'])

  await scene.hold(11)
  assert.deepEqual(await wrong(scene), [
    'Cannot serve every Service: Services need 11 of the 10 entries of map services',
    'Cannot serve default/web-11 at 10.96.0.11:80/TCP: ' +
      'Cannot update map services: map is full (10 entries)',
  ])
  assert.deepEqual(events(scene), [
    'ServiceMapFull Node node-1 node-1',
    'ServiceNotServed Service web-11 uid-11',
  ])
  assert.deepEqual(await unserved(scene), [
    'weir_services_unserved 1',
    'weir_service_unserved{service="default/web-11"} 1',
  ])
  assert.equal(scene.services.size, 10)

  // When others go, the one that waits has room.
  for (const n of [1, 2, 3, 4]) scene.tables.services.delete(`default/web-${n}`)
  for (let tries = 0; tries < 1000 && events(scene).length > 0; tries++) {
    await sleep(5)
    await scene.settle()
  }
  assert.deepEqual([await wrong(scene), events(scene)], [[], []])
  assert.deepEqual(await unserved(scene), ['weir_services_unserved 0'])
  await scene.stop()
})
