// Random changes to Services, slices and nodes, with maps that are full at times: once there is
// room, the maps hold what a rebuild from nothing would put there, and nothing else.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { SERVICE_DEFAULTS } from '../../src/control/settings.ts'
import { wire } from '../../src/control/wire.ts'
import { destinationOperations, readDestinations } from '../../src/datapath/destinations.ts'
import type * as layout from '../../src/datapath/layout.gen.ts'
import { readFrontends } from '../../src/datapath/service-read.ts'
import { Services } from '../../src/datapath/services.ts'
import { parseAddress } from '../../src/net/address.ts'
import { parsePrefix } from '../../src/net/prefix.ts'
import { Reconciler } from '../../src/state/reconciler.ts'
import type { Endpoint, Service } from '../../src/tables/intent.ts'
import { createTables, frontendKey, type Tables } from '../../src/tables/tables.ts'
import { MemoryMap } from '../support/memory-map.ts'
import { below, pick, randomFrom } from '../support/random.ts'
import { makeEndpoint, makeNode, makePort, makeService } from '../support/service-rows.ts'
import { endpoint } from '../unit/api/rows.ts'

const ROOM = 10_000
const turn = () => new Promise((resolve) => setImmediate(resolve))

function build(t: TestContext) {
  const tables = createTables()
  const services = new MemoryMap<layout.ServiceKey, layout.Service>('services')
  const backends = new MemoryMap<layout.BackendKey, layout.Backend>('backends')
  const destinations = new MemoryMap<layout.DestinationKey, layout.Destination>('destinations')
  const sourceRanges = new MemoryMap<layout.SourceRangeKey, number>('source_ranges')
  const operations = new Services({ services, backends, sourceRanges }, { graceMs: 0 })
  const options = { retryMs: () => 0, batchSize: 2 }
  const others = { map: destinations, bumpEpoch: () => {}, podCidrs: [] }
  const reconcilers = [
    new Reconciler(tables.frontends, operations, options),
    new Reconciler(tables.destinations, destinationOperations(others), options),
  ]
  const onLinkPrefixes = [parsePrefix('192.168.0.0/24')]
  const settings = { nodeName: 'node-1', routing: 'auto', onLinkPrefixes } as const
  const stop = wire(tables, { ...settings, services: SERVICE_DEFAULTS })
  for (const reconciler of reconcilers) reconciler.start()
  t.after(async () => {
    stop()
    for (const reconciler of reconcilers) await reconciler.stop()
  })
  const maps = { services, backends, destinations }
  const settle = async () => {
    for (const map of Object.values(maps)) map.maxEntries = ROOM
    const { services, endpointSlices, nodes, endpoints } = tables
    for (const table of [services, endpointSlices, nodes, endpoints]) {
      table.markInitialized()
    }
    await turn()
    for (const reconciler of reconcilers) await reconciler.idle()
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return { tables, maps, settle }
}

function wanted({ frontends }: Tables) {
  return [...frontends.entries()]
    .map(({ key, row }) => ({ key, row }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
}

/** What the maps say, without the ids, which depend on history. */
function held({ services, backends, destinations }: ReturnType<typeof build>['maps']) {
  const frontends = readFrontends(services, backends).map((frontend) => ({
    key: frontendKey(frontend),
    backends: frontend.backends,
    outside: frontend.externalBackends,
    affinitySeconds: frontend.affinitySeconds,
    missing: frontend.missingBackends,
  }))
  return {
    frontends: frontends.sort((a, b) => (a.key < b.key ? -1 : 1)),
    backends: backends.size,
    destinations: readDestinations(destinations).sort((a, b) => (a.prefix < b.prefix ? -1 : 1)),
  }
}

/** Everything about a Service that decides where it is reached and by whom. */
function reach(random: () => number, port: number): Partial<Service> {
  const policy = () => pick(random, ['Cluster', 'Local'] as const)
  const some = (address: string) => (random() < 0.3 ? [parseAddress(address)] : [])
  return {
    ports: [makePort({ port, nodePort: pick(random, [0, 30080, 30081]) })],
    externalIps: some('192.0.2.1'),
    loadBalancerIps: some('192.0.2.2'),
    sourceRanges: random() < 0.3 ? [parsePrefix('10.0.0.0/8')] : [],
    internalTrafficPolicy: policy(),
    externalTrafficPolicy: policy(),
    affinitySeconds: pick(random, [0, 60]),
    balancing: pick(random, ['random', 'maglev']),
    forwarding: pick(random, ['snat', 'dsr']),
  }
}

function randomPod(random: () => number, n: number): Endpoint {
  const hostPorts = [{ hostPort: 30080, containerPort: 80, protocol: 'TCP' as const }]
  const addresses = [parseAddress(`10.0.1.${n}`)]
  const pod = { containerId: `c${n}`, podName: `pod-${n}`, addresses }
  return endpoint({ ...pod, hostPorts: random() < 0.7 ? hostPorts : [] })
}

function change(
  { services, endpointSlices, nodes, endpoints: pods }: Tables,
  random: () => number,
): void {
  const n = 1 + below(random, 4)
  const port = pick(random, [80, 81])
  const namespace = 'default'
  const clusterIps = [parseAddress(`10.96.0.${1 + below(random, 3)}`)]
  const endpoints = Array.from({ length: below(random, 5) }, () =>
    makeEndpoint(`10.0.1.${1 + below(random, 6)}`, {
      ready: random() < 0.6,
      terminating: true,
      nodeName: pick(random, ['node-1', 'node-2']),
      hintedZones: pick(random, [[], ['a'], ['b']]),
      hintedNodes: pick(random, [[], ['node-1'], ['node-2']]),
    }),
  )
  const ports = [{ name: '', protocol: 'TCP' as const, port }]
  const slice = { namespace, name: `slice-${below(random, 5)}`, service: `s${n}`, ports, endpoints }
  const address = parseAddress(`${pick(random, ['192.168.0', '192.168.9'])}.${n}`)
  const labels = { 'topology.kubernetes.io/zone': pick(random, ['a', 'b']) }
  const podCidrs = [parsePrefix(`10.0.${1 + below(random, 4)}.0/24`)]
  pick(random, [
    () => services.upsert(makeService({ name: `s${n}`, clusterIps, ...reach(random, port) })),
    () => services.delete(`default/s${n}`),
    () => endpointSlices.upsert(slice),
    () => endpointSlices.delete(`default/slice-${below(random, 5)}`),
    () => nodes.upsert(makeNode(`node-${n}`, { addresses: [address], podCidrs, labels })),
    () => nodes.delete(`node-${n}`),
    () => pods.upsert(randomPod(random, n)),
    () => pods.delete(`c${n}/eth0`),
  ])()
}

for (let seed = 1; seed <= 25; seed++) {
  test(`maps end equal to a rebuild from nothing (seed ${seed})`, async (t) => {
    const random = randomFrom(seed)
    const live = build(t)
    for (let step = 0; step < 150; step++) {
      change(live.tables, random)
      const { services, backends } = live.maps
      if (random() < 0.1) services.maxEntries = pick(random, [1, 2, ROOM])
      if (random() < 0.1) backends.maxEntries = pick(random, [2, 5, ROOM])
      if (random() < 0.05) await live.settle()
      else if (random() < 0.4) await turn()
    }
    await live.settle()
    const rebuilt = build(t)
    for (const row of live.tables.nodes.rows()) rebuilt.tables.nodes.upsert(row)
    for (const row of live.tables.endpoints.rows()) rebuilt.tables.endpoints.upsert(row)
    for (const row of live.tables.services.rows()) rebuilt.tables.services.upsert(row)
    for (const row of live.tables.endpointSlices.rows()) rebuilt.tables.endpointSlices.upsert(row)
    await rebuilt.settle()
    assert.deepEqual(held(live.maps), held(rebuilt.maps))
    assert.deepEqual(wanted(live.tables), wanted(rebuilt.tables))
    for (const { key, status } of live.tables.frontends.entries()) {
      assert.deepEqual(status, { state: 'done' }, key)
    }
  })
}
