// Which ports load balancers may ask.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { SERVICE_DEFAULTS, type ServiceSettings } from '../../../src/control/settings.ts'
import { type Conflict, wire } from '../../../src/control/wire.ts'
import type { Address } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import { createTables } from '../../../src/tables/tables.ts'
import { makeNode, makeService } from '../../support/service-rows.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

async function start(t: TestContext, settings: Partial<ServiceSettings> = {}) {
  const tables = createTables()
  const conflicts: Conflict[] = []
  const services = { ...SERVICE_DEFAULTS, ...settings }
  const control = { nodeName: 'n1', routing: 'auto', onLinkPrefixes: [], services } as const
  t.after(wire(tables, control, (conflict) => conflicts.push(conflict)))
  const { nodes, endpointSlices, endpoints } = tables
  for (const table of [nodes, tables.services, endpointSlices, endpoints]) table.markInitialized()
  const shown = async () => {
    await turn()
    return [...tables.healthChecks.rows()]
      .map(({ port, addresses, service = 'node' }) => `${service} ${port} ${addresses.join()}`)
      .sort()
  }
  return { ...tables, conflicts, shown }
}

test('the node has its port, and each Service that has one', async (t) => {
  const { services, shown } = await start(t)
  assert.deepEqual(await shown(), ['node 10256 ::'])
  services.upsert(makeService({ healthCheckNodePort: 31000 }))
  services.upsert(makeService({ name: 'other' }))
  assert.deepEqual(await shown(), ['default/web 31000 ::', 'node 10256 ::'])
  services.upsert(makeService())
  assert.deepEqual(await shown(), ['node 10256 ::'])
})

test('chosen addresses hold for the Services’ ports', async (t) => {
  const { services, nodes, shown } = await start(t, {
    nodePortAddresses: [parsePrefix('192.168.0.0/24'), parsePrefix('fd00::/8')],
    healthz: { host: '127.0.0.1', port: 1 },
  })
  services.upsert(makeService({ healthCheckNodePort: 31000 }))
  assert.deepEqual(await shown(), ['node 1 127.0.0.1'])
  const addresses = ['192.168.0.1', '10.0.0.1'] as Address[]
  nodes.upsert(makeNode('n1', { addresses }))
  assert.deepEqual(await shown(), ['default/web 31000 192.168.0.1', 'node 1 127.0.0.1'])
})

test('the primary addresses are a choice too', async (t) => {
  const { services, nodes, shown } = await start(t, { nodePortAddresses: 'primary' })
  services.upsert(makeService({ healthCheckNodePort: 31000 }))
  const addresses = ['192.168.0.1', '192.168.0.2', 'fd50::1'] as Address[]
  nodes.upsert(makeNode('n1', { addresses }))
  assert.deepEqual(await shown(), ['default/web 31000 192.168.0.1,fd50::1', 'node 10256 ::'])
})

test('nobody takes the node’s own port', async (t) => {
  const { services, shown, conflicts } = await start(t)
  services.upsert(makeService({ name: 'a', healthCheckNodePort: 10256 }))
  assert.deepEqual(await shown(), ['node 10256 ::'])
  assert.deepEqual(
    conflicts.map(({ owner, loser }) => `${owner} before ${loser}`),
    ['the node itself before default/a'],
  )
})
