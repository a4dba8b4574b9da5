// Services by the real agent: maps as large as it is told, node ports, refused addresses, and what
// load balancers are answered.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLibrary } from '../../src/libbpf/library.ts'
import { BpfMap } from '../../src/libbpf/map.ts'
import type { Place, TestPod } from './place.ts'
import { run, Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

const HEALTH_PORT = 31_000
const VIP = '10.96.0.10'
const scene = new Scene()
let node: TestNode
let server: TestPod
let client: TestPod

before(async () => {
  node = new TestNode(scene, 1)
  node.know(node)
  node.write('range.json', {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: ['10.96.0.0/16'] },
  })
  await node.start('--max-frontends', '300', '--healthz', '127.0.0.1:10256')
  server = await node.addPod('server')
  client = await node.addPod('client')
  await server.serve('server')
  publish(true)
})
after(() => scene.dispose())

function publish(ready: boolean): void {
  node.write('web.json', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: {
      type: 'LoadBalancer',
      clusterIP: VIP,
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: HEALTH_PORT,
      ports: [{ port: 80, nodePort: 30_080 }],
    },
  })
  node.write('web-1.json', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ port: 80, protocol: 'TCP' }],
    endpoints: [
      {
        addresses: [server.addresses[0]],
        conditions: { ready, serving: true, terminating: !ready },
        nodeName: node.name,
      },
    ],
  })
}

/** "200 {...}" of a page as the node itself gets it. */
function page(port: number, path = '/'): string {
  const program =
    `fetch('http://127.0.0.1:${port}${path}')` +
    ".then(async (r) => console.log(r.status, (await r.text()).replace(/\\s/g, '')))" +
    '.catch((e) => console.log(String(e.cause?.code)))'
  return run('ip', 'netns', 'exec', node.netns, process.execPath, '-e', program).trim()
}

async function until(seen: () => string, expected: RegExp): Promise<void> {
  let last = ''
  for (let n = 0; n < 50; n++) {
    last = seen()
    if (expected.test(last)) return
    await sleep(100)
  }
  assert.match(last, expected)
}

test('the map of Services is as large as the setting says', () => {
  using map = BpfMap.openPinned(openLibrary(), join(node.bpfRoot, 'maps/services'))
  assert.equal(map.maxEntries, 300)
})

test('a Service is reached by its address, and by the node port', async () => {
  const asked = (place: Place, address: string, port = 80) =>
    JSON.stringify(place.ask(address, port))
  const own = node.addresses[0] ?? ''
  await until(() => asked(client, VIP), /"ok":true/)
  await until(() => asked(client, own, 30_080), /"ok":true/)
})

test('an address of the range that no Service has is refused at once', () => {
  const startedAt = performance.now()
  const { ok } = client.ask('10.96.0.99')
  assert.equal(ok, false)
  assert.ok(performance.now() - startedAt < 2500, 'not timed out')
})

test('load balancers are told of the endpoints here, and of the node', async () => {
  const service = '"service":\\{"namespace":"default","name":"web"\\}'
  const well = new RegExp(`^200 \\{${service},"localEndpoints":1,"serviceProxyHealthy":true\\}$`)
  await until(() => page(HEALTH_PORT), well)
  assert.match(page(10_256, '/healthz'), /^200 .*"nodeEligible":true,"healthy":true/)
  assert.match(page(10_256, '/livez'), /^200 /)
  publish(false)
  await until(() => page(HEALTH_PORT), /^503 .*"localEndpoints":0/)
  assert.equal(client.ask(VIP).ok, true, 'what terminates still serves')
})
