// Two nodes on one underlay with the real agents: pods reach each other by VXLAN and natively, and
// go on doing so while both agents are replaced.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Place } from './place.ts'
import { Scene } from './scene.ts'
import { joinedNodes, type TestNode } from './test-node.ts'

let scene: Scene

beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

async function startPair(...flags: readonly string[]) {
  const nodes = joinedNodes(scene)
  for (const node of nodes) node.know(...nodes)
  await Promise.all(nodes.map((node) => node.start(...flags)))
  return nodes
}

for (const routing of ['vxlan', 'native'] as const) {
  test(`pods and nodes reach each other across nodes by ${routing}`, async () => {
    const [one, two] = await startPair('--routing', routing)
    const [a, b] = [await one.addPod('a'), await two.addPod('b')]
    const [hostA, hostB] = [new Place(scene, one.netns), new Place(scene, two.netns)]
    for (const place of [a, b, hostB]) await place.serve('x')
    const ways = [
      ...b.addresses.map((address) => [a, address] as const),
      ...a.addresses.map((address) => [b, address] as const),
      ...b.addresses.map((address) => [hostA, address] as const),
      ...two.addresses.map((address) => [a, address] as const),
    ]
    for (const [from, address] of ways) {
      const { ok, detail } = from.reaches(address)
      assert.ok(ok, `${from.netns} to ${address}: ${detail}`)
    }
    for (const place of [a, hostA]) {
      for (const nobody of b.addresses.map((address) => address.replace(/\w+$/, '200'))) {
        const { error } = place.ask(nobody)
        assert.match(String(error), UNREACHABLE, `${place.netns} to ${nobody}, which no pod has`)
      }
    }
    await assertRoutes(one, routing)
    await assertRestartLosesNothing(a, b.addresses, [one, two], ['--routing', routing])
  })
}

const UNREACHABLE = /EHOSTUNREACH|No route to host/i

async function assertRoutes(node: TestNode, routing: string): Promise<void> {
  const views = (await node.get('/v1/nodes')) as { drift: string }[]
  assert.ok(views.every(({ drift }) => drift === 'ok'))
  const routes = scene.ip(node.netns, 'route', 'show', '10.0.2.0/24')
  assert.match(
    routes,
    routing === 'vxlan' ? /via 10.0.1.1 dev weir_host/ : /via 192.168.60.2 dev eth0/,
  )
  const devices = scene.ip(node.netns, '-br', 'link')
  assert.equal(devices.includes('weir_vxlan'), routing === 'vxlan')
}

async function assertRestartLosesNothing(
  from: Place,
  [v4 = '', v6 = '']: readonly string[],
  nodes: readonly TestNode[],
  flags: readonly string[],
): Promise<void> {
  const streams = [from.stream('udp', v4, '53'), from.stream('tcp', v6, '80')]
  for (const node of nodes) await node.kill('SIGKILL')
  await Promise.all(nodes.map((node) => node.start(...flags)))
  await sleep(500)
  for (const stop of streams) {
    const { sent, lost } = await stop()
    assert.ok(sent > 500, `${sent} were sent`)
    assert.equal(lost, 0)
  }
}
