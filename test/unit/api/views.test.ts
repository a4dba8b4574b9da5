// The joins of desired and actual rows: one word of drift each, and words for what differs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointViews } from '../../../src/api/endpoint-view.ts'
import { nodeViews } from '../../../src/api/node-view.ts'
import { PolicyDrift } from '../../../src/api/policy-drift.ts'
import { serviceViews } from '../../../src/api/service-view.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import type {
  ActualDestination,
  ActualEndpoint,
  ActualFrontend,
  ActualRoute,
} from '../../../src/tables/actual.ts'
import type { Destination } from '../../../src/tables/desired.ts'
import type { Endpoint } from '../../../src/tables/intent.ts'
import { createTables } from '../../../src/tables/tables.ts'
import { makeFrontend } from '../../support/service-rows.ts'
import { actualEndpoint, address, endpoint } from './rows.ts'

function viewsOf(wanted: readonly Endpoint[], actual: readonly ActualEndpoint[]) {
  const tables = createTables()
  for (const row of wanted) tables.endpoints.upsert(row)
  return endpointViews(tables, actual, new PolicyDrift(tables, new Map()))
}

test('endpointViews() is ok when every address has its entry', () => {
  const actual = [actualEndpoint('10.0.1.5'), actualEndpoint('fd00::5')]
  const [view, ...rest] = viewsOf([endpoint()], actual)
  assert.deepEqual(rest, [])
  assert.equal(view?.drift, 'ok')
  assert.equal(view?.pod, 'shop/front')
  assert.deepEqual(view?.actual, actual)
  assert.equal(view?.status, 'pending')
})

test('endpointViews() is missing without entries, stale with half of them or wrong ones', () => {
  const missing = viewsOf([endpoint()], [])
  assert.equal(missing[0]?.drift, 'missing')
  const half = viewsOf([endpoint()], [actualEndpoint('10.0.1.5')])
  assert.equal(half[0]?.drift, 'stale')
  assert.deepEqual(half[0]?.differences, ['fd00::5 is not in map endpoints'])
  const wrong = viewsOf(
    [endpoint({ addresses: [address('10.0.1.5')] })],
    [actualEndpoint('10.0.1.5', { mtu: 1500 })],
  )
  assert.deepEqual(wrong[0]?.differences, ['10.0.1.5: mtu is 1500, not 1450'])
})

test('endpointViews() names an entry nobody asked for, and one without its interface', () => {
  const { hostIfName: _, ...gone } = actualEndpoint('10.0.1.9', { id: 9 })
  const [view] = viewsOf([], [gone])
  assert.equal(view?.drift, 'extra')
  assert.equal(view?.pod, '')
  const [stale] = viewsOf([endpoint({ addresses: [gone.address], id: 9 })], [gone])
  assert.deepEqual(stale?.differences, ['10.0.1.9: hostIfName is absent, not weir0005'])
})

const FRONTEND = makeFrontend({
  address: address('10.96.0.10'),
  port: 53,
  protocol: 'UDP',
  service: 'kube-system/dns',
  portName: 'dns',
  backends: [{ address: address('10.0.1.5'), port: 5353 }],
})

function actualFrontend(changes: Partial<ActualFrontend> = {}): ActualFrontend {
  const { address: at, port, protocol, affinitySeconds } = FRONTEND
  const backends = FRONTEND.backends.map((backend) => ({ ...backend, hits: 0n }))
  const sets = { setId: 8, backends, externalSetId: 8, externalBackends: backends }
  return {
    ...{ address: at, port, protocol, affinitySeconds, id: 3, ...sets, missingBackends: 0 },
    ...changes,
  }
}

function frontendViews(actual: ActualFrontend[]) {
  const tables = createTables()
  tables.frontends.upsert(FRONTEND)
  return serviceViews(tables, actual, { nodeName: 'node-a' })
}

test('serviceViews() compares backends as sets, not in slot order', () => {
  assert.equal(frontendViews([actualFrontend()])[0]?.drift, 'ok')
  assert.equal(frontendViews([])[0]?.drift, 'missing')
  const other = actualFrontend({ backends: [{ address: address('10.0.1.6'), port: 1, hits: 0n }] })
  const [stale] = frontendViews([other])
  assert.equal(stale?.drift, 'stale')
  assert.deepEqual(stale?.differences, [
    'backend 10.0.1.5:5353 is not in set 8',
    'backend 10.0.1.6:1 is in set 8 and not wanted',
  ])
})

test('serviceViews() shows empty slots and frontends that nobody asked for', () => {
  assert.equal(frontendViews([actualFrontend({ missingBackends: 1 })])[0]?.drift, 'stale')
  const extra = frontendViews([actualFrontend(), actualFrontend({ port: 54 })])
  assert.deepEqual(
    extra.map(({ frontend, drift }) => [frontend, drift]),
    [
      ['10.96.0.10:54/UDP', 'extra'],
      ['10.96.0.10:53/UDP', 'ok'],
    ],
  )
})

const PREFIX = parsePrefix('10.0.2.0/24')
const DESTINATION: Destination = {
  prefix: PREFIX,
  nodeName: 'node-b',
  nodeAddress: address('192.0.2.2'),
  onLink: true,
  routing: 'native',
  kind: 'pods',
}
const ACTUAL: ActualDestination = {
  prefix: PREFIX,
  nodeAddress: address('192.0.2.2'),
  routing: 'native',
  kind: 'pods',
  onLink: true,
}
const ROUTE: ActualRoute = {
  prefix: PREFIX,
  ifindex: 2,
  interfaceName: 'eth0',
  gateway: address('192.0.2.2'),
}

function twoNodes(changes: Partial<Destination> = {}) {
  const tables = createTables()
  for (const name of ['node-a', 'node-b']) {
    tables.nodes.upsert({ name, addresses: [], podCidrs: [], leaving: false, labels: { a: 'b' } })
  }
  tables.destinations.upsert({ ...DESTINATION, ...changes })
  tables.nodeRoutes.upsert({
    ...{ prefix: PREFIX, nodeName: 'node-b', routing: 'native', nextHop: address('192.0.2.2') },
  })
  return tables
}

test('nodeViews() joins destinations and routes under their node', () => {
  const kernel = { destinations: [ACTUAL], routes: [ROUTE] }
  const views = nodeViews(twoNodes(), kernel, 'node-a')
  assert.deepEqual(
    views.map(({ name, routing, drift, destinations, routes }) => ({
      ...{ name, routing, drift, destinations, routes },
    })),
    [
      { name: 'node-a', routing: 'local', drift: 'ok', destinations: 0, routes: 0 },
      { name: 'node-b', routing: 'native', drift: 'ok', destinations: 1, routes: 1 },
    ],
  )
})

test('nodeViews() says what is missing, stale and extra', () => {
  const missing = nodeViews(twoNodes(), { destinations: [ACTUAL], routes: [] }, 'node-a')
  assert.equal(missing[1]?.drift, 'missing')
  assert.deepEqual(missing[1]?.differences, ['route 10.0.2.0/24 is not in the kernel'])
  const vxlan = { ...ACTUAL, routing: 'vxlan' as const }
  const stale = nodeViews(twoNodes(), { destinations: [vxlan], routes: [ROUTE] }, 'node-a')
  assert.deepEqual(stale[1]?.differences, ['destination 10.0.2.0/24: routing is vxlan, not native'])
  const other = { ...ACTUAL, prefix: parsePrefix('10.0.9.0/24') }
  const extra = nodeViews(twoNodes(), { destinations: [ACTUAL, other], routes: [ROUTE] }, 'node-a')
  assert.deepEqual([extra[0]?.name, extra[0]?.drift], ['', 'extra'])
})

test('nodeViews() wants no entry for a destination with a problem, and passes on its error', () => {
  const tables = twoNodes({ problem: 'node-b is not on-link' })
  const { revision = 0 } = tables.destinations.entry(PREFIX) ?? {}
  tables.destinations.setStatus(PREFIX, revision, { state: 'error', error: 'not on-link' })
  const [, view] = nodeViews(tables, { destinations: [], routes: [ROUTE] }, 'node-a')
  assert.equal(view?.drift, 'ok')
  assert.deepEqual(view?.errors, ['10.0.2.0/24: not on-link'])
})
