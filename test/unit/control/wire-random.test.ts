// Random sequences of changes through all derivations end equal to a rebuild from nothing.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { wire } from '../../../src/control/wire.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import type { Endpoint, Service } from '../../../src/tables/intent.ts'
import { createTables, type Tables } from '../../../src/tables/tables.ts'
import { below, pick, randomFrom } from '../../support/random.ts'
import { makePort } from '../../support/service-rows.ts'
import {
  derived,
  initialize,
  node,
  SETTINGS,
  service,
  slice,
  turn,
} from '../../support/wire-scene.ts'
import { endpoint } from '../api/rows.ts'

function start(t: TestContext): Tables {
  const tables = createTables()
  t.after(wire(tables, SETTINGS))
  return tables
}

function randomService(random: () => number, name: string): Service {
  const policy = () => pick(random, ['Cluster', 'Local'] as const)
  const some = (...addresses: string[]) =>
    addresses.filter(() => random() < 0.3).map((address) => parseAddress(address))
  const port = pick(random, [80, 81])
  const nodePort = pick(random, [0, 30080, 30081])
  return {
    ...service(name, `10.96.0.${1 + below(random, 3)}`, port),
    ports: [makePort({ name: 'http', port, nodePort })],
    externalIps: some('192.0.2.1', '10.96.0.2', '203.0.113.1'),
    loadBalancerIps: some('203.0.113.1', '203.0.113.2'),
    sourceRanges: random() < 0.3 ? [parsePrefix('10.0.0.0/8')] : [],
    internalTrafficPolicy: policy(),
    externalTrafficPolicy: policy(),
    affinitySeconds: pick(random, [0, 60]),
    ...(random() < 0.3 ? { balancing: 'maglev' as const } : {}),
  }
}

function randomPlace(random: () => number) {
  const hints = (...names: string[]) => names.filter(() => random() < 0.6)
  return {
    nodeName: pick(random, ['node-1', 'node-2']),
    hintedZones: hints('a', 'b'),
    hintedNodes: hints('node-1', 'node-2'),
  }
}

function randomPod(random: () => number, n: number): Endpoint {
  const hostIp = random() < 0.5 ? { hostIp: parseAddress('192.168.0.1') } : {}
  const hostPort = pick(random, [8080, 30080])
  return endpoint({
    containerId: `c${n}`,
    podName: `pod-${n}`,
    addresses: [parseAddress(`10.0.1.${n}`)],
    hostPorts:
      random() < 0.6 ? [{ hostPort, containerPort: 80, protocol: 'TCP' as const, ...hostIp }] : [],
  })
}

/**
 * One random change of Services, slices, pods or nodes; names and addresses are few, so that they
 * collide.
 */
function step(tables: Tables, random: () => number): void {
  const { services, endpointSlices, nodes } = tables
  const n = 1 + below(random, 4)
  const address = () => `10.0.${1 + below(random, 2)}.${1 + below(random, 4)}`
  const actions = [
    () => services.upsert(randomService(random, `s${n}`)),
    () => services.delete(`default/s${n}`),
    () => {
      const addresses = Array.from({ length: below(random, 4) }, address)
      const row = slice(`slice-${below(random, 6)}`, `s${n}`, addresses)
      endpointSlices.upsert({
        ...row,
        endpoints: row.endpoints.map((each) => {
          const terminating = random() < 0.4
          const ready = !terminating && random() < 0.7
          return { ...each, ready, terminating, ...randomPlace(random) }
        }),
      })
    },
    () => endpointSlices.delete(`default/slice-${below(random, 6)}`),
    () => {
      const network = pick(random, ['192.168.0', '192.168.9'])
      const row = node(`node-${n}`, `${network}.${n}`, `10.0.${1 + below(random, 5)}.0/24`)
      const labels = { 'topology.kubernetes.io/zone': pick(random, ['a', 'b']), other: `${n}` }
      nodes.upsert(random() < 0.5 ? row : { ...row, labels })
    },
    () => tables.endpoints.upsert(randomPod(random, n)),
    () => tables.endpoints.delete(`c${n}/eth0`),
    () => nodes.delete(`node-${n}`),
  ]
  pick(random, actions)()
}

for (let seed = 1; seed <= 40; seed++) {
  test(`any sequence of changes ends equal to a rebuild from nothing (seed ${seed})`, async (t) => {
    const random = randomFrom(seed)
    const live = start(t)
    if (random() < 0.5) initialize(live)
    for (let n = 0; n < 200; n++) {
      step(live, random)
      if (random() < 0.2) await turn()
    }
    initialize(live)
    await turn()
    const rebuilt = start(t)
    for (const row of live.endpointSlices.rows()) rebuilt.endpointSlices.upsert(row)
    for (const row of live.services.rows()) rebuilt.services.upsert(row)
    for (const row of live.nodes.rows()) rebuilt.nodes.upsert(row)
    for (const row of live.endpoints.rows()) rebuilt.endpoints.upsert(row)
    initialize(rebuilt)
    await turn()
    assert.deepEqual(derived(live), derived(rebuilt))
  })
}
