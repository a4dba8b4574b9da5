// One node with the real agent: pods come, talk, and go without a trace; agents die and return.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { BpfMap } from '../../src/libbpf/map.ts'
import { parseAddress } from '../../src/net/address.ts'
import { parseMac } from '../../src/net/mac.ts'
import { Place } from './place.ts'
import { Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

const library = openLibrary()
const scene = new Scene()
let node: TestNode

before(async () => {
  node = new TestNode(scene, 1)
  node.know(node)
  await node.start()
})
after(() => scene.dispose())

test('pods of one node and the node itself reach each other, both families', async () => {
  const [a, b] = [await node.addPod('a'), await node.addPod('b')]
  const host = new Place(scene, node.netns)
  await a.serve('a')
  await b.serve('b')
  await host.serve('host')
  assert.equal(a.addresses.length, 2)
  const ways = [
    ...b.addresses.map((address) => [a, address] as const),
    ...a.addresses.map((address) => [a, address] as const),
    ...b.addresses.map((address) => [host, address] as const),
    ...node.addresses.map((address) => [a, address] as const),
    ...node.gateways.map((address) => [b, address] as const),
  ]
  for (const [from, address] of ways) {
    const { ok, detail } = from.reaches(address)
    assert.ok(ok, `${from.netns} to ${address}: ${detail}`)
  }
  assert.deepEqual(await node.drift(), [])
})

test('an endpoint that goes leaves nothing behind', async () => {
  const before = node.picture()
  const pod = await node.addPod('short')
  assert.notEqual(node.picture(), before)
  assert.equal((await node.delete('short', pod.netns)).code, 0)
  assert.equal(node.picture(), before)
  assert.equal(endpointAddresses().filter((address) => pod.addresses.includes(address)).length, 0)
  assert.equal((await node.delete('short', pod.netns)).code, 0, 'DEL of the absent succeeds')
})

test('a pod whose namespace went first can still be deleted', async () => {
  const before = node.picture()
  const netns = scene.netns()
  assert.equal((await node.add('orphan', netns)).code, 0)
  scene.removeNetns(netns)
  assert.equal((await node.delete('orphan')).code, 0)
  assert.equal(node.picture(), before)
})

test('an ADD that fails half way leaves nothing behind', async () => {
  const before = node.picture()
  const netns = scene.netns()
  // The interface the pod should get is there already.
  scene.ip(netns, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other')
  const { code, message } = await node.add('taken', netns)
  assert.notEqual(code, 0)
  assert.match(message, /Cannot attach pod default\/taken: Cannot create veth/)
  assert.equal(node.picture(), before)
})

test('30 pods at once all get their network', async () => {
  const netns = Array.from({ length: 30 }, () => scene.netns())
  const answers = await Promise.all(netns.map((name, at) => node.add(`many${at}`, name)))
  assert.deepEqual(new Set(answers.map(({ code }) => code)), new Set([0]))
  assert.equal(new Set(answers.flatMap(({ ips }) => ips)).size, 60)
  assert.deepEqual(await node.drift(), [])
  await Promise.all(netns.map((name, at) => node.delete(`many${at}`, name)))
  assert.equal(node.podVeths().length, 2)
})

test('a full map fails the row with a sentence, and the rest goes on', async () => {
  const junk = fillEndpoints()
  const netns = scene.netns()
  const { code, message } = await node.add('late', netns)
  assert.notEqual(code, 0)
  assert.match(message, /Cannot update map endpoints: map is full \(16384 entries\)/)
  assert.equal(node.podVeths().length, 2, 'the veth of the failed one is gone')
  using map = BpfMap.openPinned(library, join(node.bpfRoot, 'maps/endpoints'))
  map.deleteMany(junk)
  assert.equal((await node.add('late', netns)).code, 0)
  assert.equal((await node.delete('late', netns)).code, 0)
})

test('restarting the agent under traffic loses no packet', async () => {
  const [a, b] = [await node.addPod('from'), await node.addPod('to')]
  await b.serve('to')
  const [v4 = '', v6 = ''] = b.addresses
  const streams = [
    a.stream('udp', v4, '53'),
    a.stream('tcp', v6, '80'),
    a.stream('ping', v6),
    new Place(scene, node.netns).stream('udp', v4, '53'),
  ]
  const links = node.pins()
  await node.kill('SIGKILL')
  await node.start()
  await node.kill('SIGTERM')
  await node.start()
  for (const stop of streams) {
    const { sent, lost } = await stop()
    assert.ok(sent > 1000, `${sent} were sent`)
    assert.equal(lost, 0)
  }
  assert.deepEqual(node.pins(), links, 'the same pins, swapped in place')
  assert.deepEqual(await node.drift(), [])
})

test('an agent killed in the middle of ADDs converges when it is back', async () => {
  const netns = Array.from({ length: 12 }, () => scene.netns())
  const answers = Promise.allSettled(netns.map((name, at) => node.add(`cut${at}`, name)))
  await new Promise((resolve) => setTimeout(resolve, 15))
  await node.kill('SIGKILL')
  await answers
  await node.start()
  assert.deepEqual(await node.drift(), [])
  // The runtime deletes what it got no answer for; then all are gone.
  for (const [at, name] of netns.entries()) {
    assert.equal((await node.delete(`cut${at}`, name)).code, 0)
  }
  const views = (await node.get('/v1/endpoints')) as { pod: string }[]
  assert.equal(views.filter(({ pod }) => pod.startsWith('default/cut')).length, 0)
  assert.equal(node.podVeths().length, views.length)
})

test('while the agent was away: what was removed is put back, what was added goes', async () => {
  await node.kill('SIGTERM')
  const [veth = ''] = node.podVeths()
  scene.ip(node.netns, 'route', 'flush', 'dev', veth)
  const added = ['link', 'add', 'weir00000000000', 'type', 'veth', 'peer', 'name', 'stray']
  scene.ip(node.netns, ...added)
  {
    using map = BpfMap.openPinned(library, join(node.bpfRoot, 'maps/endpoints'))
    map.update(...junkEntry(1))
  }
  await node.start()
  assert.ok(!node.podVeths().includes('weir00000000000'))
  assert.ok(!endpointAddresses().includes(junkAddress(1)))
  const routes = scene.ip(node.netns, 'route', 'show', 'dev', veth)
  assert.match(routes, /proto 201/)
})

/** Fills map endpoints behind the agent's back; the keys that did it. */
function fillEndpoints(): Uint8Array[] {
  using map = BpfMap.openPinned(library, join(node.bpfRoot, 'maps/endpoints'))
  const entries = Array.from({ length: map.maxEntries }, (_, at) => junkEntry(at))
  map.updateMany(entries)
  return entries.map(([key]) => key)
}

function junkEntry(at: number): [Uint8Array, Uint8Array] {
  const mac = parseMac('02:00:00:00:00:01')
  return [
    layout.endpointKey.toBytes({ address: parseAddress(junkAddress(at)) }),
    layout.endpoint.toBytes({ ifindex: 1, id: 65_535, mac, hostMac: mac, mtu: 1450, flags: 0 }),
  ]
}

function junkAddress(at: number): string {
  return `172.30.${at >> 8}.${at & 255}`
}

function endpointAddresses(): string[] {
  using map = BpfMap.openPinned(library, join(node.bpfRoot, 'maps/endpoints'))
  return [...map.entries()].map(([key]) => layout.endpointKey.fromBytes(key).address)
}
