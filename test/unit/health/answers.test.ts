// What load balancers are answered, over real sockets.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { answersFor } from '../../../src/health/answers.ts'
import { HealthListeners } from '../../../src/health/listeners.ts'
import { ProxyHealth } from '../../../src/health/proxy-health.ts'
import type { SliceEndpoint } from '../../../src/tables/intent.ts'
import { createTables } from '../../../src/tables/tables.ts'
import { makeEndpoint, makeFrontend, makeNode } from '../../support/service-rows.ts'

/** A port that nothing listens on, a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function serve(t: TestContext, service?: string) {
  const tables = createTables()
  let now = Date.UTC(2026, 10, 25)
  const health = new ProxyHealth({
    frontends: tables.frontends,
    ownNode: () => tables.nodes.get('n1'),
    now: () => now,
  })
  const listeners = new HealthListeners((row) =>
    answersFor(row, { tables, nodeName: 'n1', health }),
  )
  const port = await freePort()
  const row = { port, addresses: ['::'], ...(service === undefined ? {} : { service }) }
  assert.equal((await listeners.update([row])).size, 0)
  t.after(() => listeners.stop())
  const get = async (path = '/', host = '127.0.0.1') => {
    const response = await fetch(`http://${host}:${port}${path}`)
    return { status: response.status, headers: response.headers, body: await response.text() }
  }
  const slice = (name: string, endpoints: readonly SliceEndpoint[]) =>
    tables.endpointSlices.upsert({
      namespace: 'shop',
      name,
      service: 'web',
      ports: [{ name: '', protocol: 'TCP', port: 80 }],
      endpoints,
    })
  return { tables, health, listeners, row, port, get, slice, wait: (ms: number) => (now += ms) }
}

const here = { nodeName: 'n1' }

test('a Service with local endpoints is healthy, each address counts once', async (t) => {
  const { get, slice } = await serve(t, 'shop/web')
  slice('web-1', [
    makeEndpoint('10.0.1.1', here),
    makeEndpoint('10.0.1.2', here),
    makeEndpoint('10.0.2.1', { nodeName: 'n2' }),
    makeEndpoint('10.0.1.3', { ...here, ready: false, terminating: true }),
  ])
  slice('web-2', [makeEndpoint('10.0.1.1', here)])
  for (const path of ['/', '/healthz', '/any/thing?x']) {
    const { status, headers, body } = await get(path)
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'application/json')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('x-load-balancing-endpoint-weight'), '2')
    assert.equal(
      body,
      [
        '{',
        '\t"service": {',
        '\t\t"namespace": "shop",',
        '\t\t"name": "web"',
        '\t},',
        '\t"localEndpoints": 2,',
        '\t"serviceProxyHealthy": true',
        '}',
      ].join('\n'),
    )
  }
})

test('a pod of two families counts once, by whichever address the node is asked', async (t) => {
  const { get, slice } = await serve(t, 'shop/web')
  const weights = () =>
    Promise.all(
      ['127.0.0.1', '[::1]'].map(async (host) => {
        const { status, headers } = await get('/', host)
        return `${status} ${headers.get('x-load-balancing-endpoint-weight')}`
      }),
    )
  slice('web-4', [makeEndpoint('10.0.1.1', here), makeEndpoint('10.0.1.2', here)])
  assert.deepEqual(await weights(), ['200 2', '200 2'])
  slice('web-6', [makeEndpoint('fd00::1', here), makeEndpoint('fd00::2', here)])
  assert.deepEqual(await weights(), ['200 2', '200 2'])
})

test('without a local ready endpoint a Service is not healthy', async (t) => {
  const { get, slice } = await serve(t, 'shop/web')
  assert.equal((await get()).status, 503)
  slice('web-1', [makeEndpoint('10.0.2.1', { nodeName: 'n2' })])
  assert.equal((await get()).status, 503)
  slice('web-1', [makeEndpoint('10.0.1.1', { ...here, ready: false, terminating: true })])
  const { status, headers, body } = await get()
  assert.equal(status, 503)
  assert.equal(headers.get('x-load-balancing-endpoint-weight'), '0')
  assert.equal(JSON.parse(body).localEndpoints, 0)
})

test('a proxy that is late is not healthy, whatever the endpoints', async (t) => {
  const { get, slice, tables, wait, health } = await serve(t, 'shop/web')
  slice('web-1', [makeEndpoint('10.0.1.1', here)])
  wait(3_600_000)
  assert.equal((await get()).status, 200, 'idle is well')
  tables.frontends.upsert(makeFrontend())
  wait(59_000)
  assert.equal((await get()).status, 200)
  wait(2000)
  const { status, body } = await get()
  assert.deepEqual([status, JSON.parse(body).serviceProxyHealthy], [503, false])
  health.observeRound(100)
  assert.equal((await get()).status, 200)
})

test('/healthz heeds that the node is to leave, /livez does not', async (t) => {
  const { get, tables } = await serve(t)
  const bodies = async () => {
    const [healthz, livez] = [await get('/healthz'), await get('/livez')]
    return [healthz.status, JSON.parse(healthz.body), livez.status, JSON.parse(livez.body)]
  }
  const at = '2026-11-25T00:00:00.000Z'
  const times = { lastUpdated: at, currentTime: at }
  const well = { lastUpdated: at, healthy: true }
  const status = { IPv4: well, IPv6: well }
  const livez = { ...times, healthy: true, status }
  const eligible = { ...times, nodeEligible: true, healthy: true, status }
  assert.deepEqual(await bodies(), [200, eligible, 200, livez])
  tables.nodes.upsert(makeNode('n1', { leaving: true }))
  const leaving = { ...eligible, nodeEligible: false, healthy: false }
  assert.deepEqual(await bodies(), [503, leaving, 200, livez])
  tables.nodes.upsert(makeNode('n1'))
  assert.equal((await get('/healthz')).status, 200)
  assert.equal((await get('/')).status, 404)
})

test('a late proxy fails both, and says since when', async (t) => {
  const { get, tables, wait, health } = await serve(t)
  wait(1000)
  health.observeRound(1)
  wait(1000)
  tables.frontends.upsert(makeFrontend())
  wait(60_000)
  for (const path of ['/healthz', '/livez']) {
    const { status, body } = await get(path)
    assert.equal(status, 503)
    const { lastUpdated, currentTime, healthy } = JSON.parse(body)
    assert.equal(healthy, false)
    assert.equal(lastUpdated, '2026-11-25T00:00:01.000Z')
    assert.equal(currentTime, '2026-11-25T00:01:02.000Z')
  }
})

test('a change that came while a round ran waits for the next', async (t) => {
  const { health, tables, wait } = await serve(t)
  tables.frontends.upsert(makeFrontend())
  wait(500)
  tables.frontends.upsert(makeFrontend({ port: 81 }))
  wait(500)
  health.observeRound(800)
  wait(59_000)
  assert.equal(health.healthy, true)
  wait(1000)
  assert.equal(health.healthy, false)
  health.observeRound(100)
  assert.equal(health.healthy, true)
})

test('a port that another has is an error, and is had once it is free', async (t) => {
  const { listeners, port } = await serve(t, 'shop/web')
  const other = new HealthListeners(() => () => {})
  t.after(() => other.stop())
  const row = { port, addresses: ['127.0.0.1'], service: 'shop/api' }
  const failures = await other.update([row])
  assert.equal(
    failures.get(String(port))?.message,
    `Cannot listen on 127.0.0.1 port ${port} for Service shop/api: another process has the port`,
  )
  await listeners.delete([row])
  assert.equal((await other.update([row])).size, 0)
})

test('a port is on all addresses or on none, and moves with them', async (t) => {
  const { listeners, port, row, get } = await serve(t, 'shop/web')
  const moved = { ...row, addresses: ['127.0.0.2', '192.0.2.77'] }
  const [failure] = (await listeners.update([moved])).values()
  assert.match(failure?.message ?? '', /Cannot listen on 192\.0\.2\.77 port/)
  await assert.rejects(fetch(`http://127.0.0.2:${port}/`))
  assert.equal((await listeners.update([row])).size, 0)
  assert.equal((await get()).status, 503)
})
