// UDP flows to a Service stay with an endpoint as long as it serves, also while it terminates, and
// move at once when it serves no more. Sockets that are translated stay as long as it is there.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { listFlows } from '../../src/datapath/inspect.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import type { Stream, TestPod } from './place.ts'
import { run, Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

const VIPS = ['10.96.0.10', 'fd00:96::a']
const scene = new Scene()
let node: TestNode
let old: TestPod
let young: TestPod
let client: TestPod

before(async () => {
  node = new TestNode(scene, 1)
  node.know(node)
  await node.start()
  old = await node.addPod('old')
  young = await node.addPod('young')
  client = await node.addPod('client')
  await old.serve('old')
  await young.serve('young')
  node.write('dns.json', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'dns' },
    spec: { clusterIP: VIPS[0], clusterIPs: VIPS, ports: [{ port: 53, protocol: 'UDP' }] },
  })
})
after(() => scene.dispose())

const READY = { ready: true, serving: true, terminating: false }
const LEAVING = { ready: false, serving: true, terminating: true }
const UNREADY = { ready: false, serving: false, terminating: false }
const LEFT = { ready: false, serving: false, terminating: true }

function publish(endpoints: readonly (readonly [TestPod, object])[]): void {
  for (const [at, addressType] of ['IPv4', 'IPv6'].entries()) {
    node.write(`dns-${at}.json`, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `dns-${at}`, labels: { 'kubernetes.io/service-name': 'dns' } },
      addressType,
      ports: [{ port: 53, protocol: 'UDP' }],
      endpoints: endpoints.map(([{ addresses }, conditions]) => {
        return { addresses: [addresses[at]], conditions }
      }),
    })
  }
}

/** Packets that went to a pod's address through the Service so far, of flows that are there. */
function packetsTo({ addresses }: TestPod): readonly number[] {
  const flows = listFlows({ library: openLibrary(), bpfRoot: node.bpfRoot })
  return addresses.map((address) =>
    flows
      .filter(({ tuple, out }) => VIPS.includes(tuple.destination) && out.destination === address)
      .reduce((sum, { packets }) => sum + Number(packets), 0),
  )
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 100 && !condition(); tries++) await sleep(100)
  assert.ok(condition(), `${condition}: ${packetsTo(old)} and ${packetsTo(young)}`)
}

/** Streams that are with `old`, while it terminates and `young` takes what is new. */
async function streamsWithOld(): Promise<(() => Promise<Stream>)[]> {
  publish([[old, READY]])
  await until(() => VIPS.every((vip) => asks(vip) === 'old'))
  const stops = VIPS.map((vip) => client.stream('udp', vip, '53'))
  await until(() => packetsTo(old).every((count) => count > 50))
  publish([
    [old, LEAVING],
    [young, READY],
  ])
  await until(() => VIPS.every((vip) => asks(vip) === 'young'))
  const before = packetsTo(old)
  await until(() => packetsTo(old).every((count, at) => count > (before[at] ?? 0) + 100))
  return stops
}

async function areWithYoung(stops: readonly (() => Promise<Stream>)[]): Promise<void> {
  await until(() => packetsTo(old).every((count) => count === 0))
  const before = packetsTo(young)
  await until(() => packetsTo(young).every((count, at) => count > (before[at] ?? 0) + 100))
  for (const stop of stops) {
    const { sent, lost } = await stop()
    assert.ok(sent > 300 && lost < 10, JSON.stringify({ sent, lost }))
  }
}

function leaveOld(): void {
  publish([
    [old, LEFT],
    [young, READY],
  ])
}

test('a UDP flow stays while its endpoint serves, and moves when it does not', async () => {
  const stops = await streamsWithOld()
  leaveOld()
  await areWithYoung(stops)
})

test('so it does when the endpoint ceased to serve while no agent ran', async () => {
  const stops = await streamsWithOld()
  await node.kill()
  leaveOld()
  await node.start()
  await areWithYoung(stops)
})

test('a socket stays with an endpoint that is not ready, and ends when that is gone', async () => {
  const [first, second] = [await connectToOld(), await connectToOld()]
  await oldIsNotReady()
  for (const stop of first) assert.equal((await stop()).error, '')
  publish([[young, READY]])
  await haveEnded(second)
})

test('so it does when the endpoint went while no agent ran', async () => {
  const stops = await connectToOld()
  await oldIsNotReady()
  await node.kill()
  publish([[young, READY]])
  await node.start()
  await haveEnded(stops)
})

async function connectToOld(): Promise<(() => Promise<Stream>)[]> {
  publish([[old, READY]])
  await until(() => VIPS.every((vip) => asks(vip) === 'old'))
  const before = socketsAtOld()
  const stops = VIPS.map((vip) => client.streamIn(node.cgroup, 'udp', vip, '53'))
  await until(() => socketsAtOld() === before + VIPS.length)
  return stops
}

async function oldIsNotReady(): Promise<void> {
  publish([
    [old, UNREADY],
    [young, READY],
  ])
  await until(() => VIPS.every((vip) => asks(vip) === 'young'))
}

async function haveEnded(stops: readonly (() => Promise<Stream>)[]): Promise<void> {
  await until(() => socketsAtOld() === 0)
  for (const stop of stops) assert.match((await stop()).error, /ECONNABORTED|EDESTADDRREQ/)
}

/** The client's connected sockets to its addresses. */
function socketsAtOld(): number {
  const sockets = run('ip', 'netns', 'exec', client.netns, 'ss', '-Hun', 'state', 'established')
  return sockets.split('\n').filter((line) => old.addresses.some((each) => line.includes(each)))
    .length
}

function asks(vip: string): string | undefined {
  return client.askPort(vip, 53, '--udp').answer?.name
}
