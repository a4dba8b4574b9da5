// A node's datapath from nothing to nothing: waiting for its own Node, a changed underlay, maps
// of an older shape, and removal that leaves the namespace as found.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLibrary } from '../../src/libbpf/library.ts'
import { BpfMap } from '../../src/libbpf/map.ts'
import { Place } from './place.ts'
import { run, Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

const library = openLibrary()
let scene: Scene

beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

test('an agent whose Node is unknown says so and waits for it', async () => {
  const node = new TestNode(scene, 1)
  node.spawn()
  const refused = await until(() => node.status())
  assert.equal(refused.code, 50)
  assert.match(refused.message, /node node1 is not known yet/)
  node.know(node)
  await node.ready()
  assert.equal((await node.addPod('a')).addresses.length, 2)
})

test('a bpf root or cgroup root of another kind ends the agent with a sentence', async () => {
  const node = new TestNode(scene, 1)
  node.know(node)
  await assert.rejects(node.start('--bpf-root', scene.directory), (error: Error) => {
    assert.match(error.message, /is not on a bpffs, mount one with: mount -t bpf/)
    return true
  })
  await assert.rejects(node.start('--cgroup-root', scene.directory), (error: Error) => {
    assert.match(error.message, /is not a cgroup2, give its path with --cgroup-root/)
    return true
  })
})

test('removeAll() leaves the namespace, the pins and the cgroup as found', async () => {
  const node = new TestNode(scene, 1)
  node.know(node)
  const before = node.picture()
  await node.start()
  await node.addPod('a')
  await node.kill('SIGTERM')
  assert.notEqual(node.picture(), before)
  assert.notEqual(attachedToCgroup(node), '')
  removeAllIn(node)
  assert.equal(node.picture(), before)
  assert.deepEqual(node.pins(), [])
  assert.equal(attachedToCgroup(node), '')
  removeAllIn(node)
})

test('a pinned map of another shape is replaced with one warning, and pods work', async () => {
  const node = new TestNode(scene, 1)
  node.know(node)
  mkdirSync(join(node.bpfRoot, 'maps'), { recursive: true })
  {
    const shape = { type: 'hash', name: 'endpoints', keySize: 4, valueSize: 8 } as const
    using map = BpfMap.create(library, { ...shape, maxEntries: 10 })
    map.pin(join(node.bpfRoot, 'maps/endpoints'))
  }
  await node.start()
  const warnings = node.log.split('\n').filter((line) => line.includes('Replacing a pinned map'))
  assert.equal(warnings.length, 1)
  assert.match(warnings[0] ?? '', /key size 4, now 16/)
  const [a, b] = [await node.addPod('a'), await node.addPod('b')]
  await b.serve('b')
  const { ok, detail } = a.reaches(b.addresses[0] ?? '')
  assert.ok(ok, detail)
})

test('a new address of the node opens the datapath again, without losing a packet', async () => {
  const node = new TestNode(scene, 1)
  node.know(node)
  await node.start('--resync-seconds', '1')
  const [a, b] = [await node.addPod('a'), await node.addPod('b')]
  await b.serve('b')
  const stop = a.stream('udp', b.addresses[0] ?? '', '53')
  const opened = () => node.log.split('Opening the datapath').length - 1
  scene.ip(node.netns, 'addr', 'add', '192.168.61.1/24', 'dev', 'eth0')
  while (opened() < 2) await sleep(200)
  await node.ready()
  const { lost } = await stop()
  assert.equal(lost, 0)
  assert.deepEqual(await node.drift(), [])
  assert.ok(new Place(scene, node.netns).reaches(b.addresses[0] ?? '').ok)
})

test('socket services that are turned off are detached', async () => {
  const node = new TestNode(scene, 1)
  node.know(node)
  await node.start()
  assert.match(attachedToCgroup(node), /sock_connect4/)
  await node.kill('SIGTERM')
  await node.start('--socket-services', 'false')
  assert.equal(attachedToCgroup(node), '')
})

test('a Service is reached per packet, and its backends are swapped under traffic', async () => {
  const node = new TestNode(scene, 1)
  node.know(node)
  await node.start('--socket-services', 'false')
  const pods = [await node.addPod('a'), await node.addPod('b'), await node.addPod('c')]
  const [client, ...servers] = pods
  for (const server of servers) await server.serve(server.id)
  node.write('service.json', service('10.96.0.10'))
  const [one, two] = servers.map(({ addresses }) => addresses[0] ?? '')
  node.write('slice.json', slice([one ?? '']))
  while (!client?.reaches('10.96.0.10', 'ask').ok) await sleep(100)
  assert.equal(client.ask('10.96.0.10').answer?.name, 'b')
  const stop = client.stream('udp', '10.96.0.10', '53')
  node.write('slice.json', slice([two ?? '']))
  while (client.ask('10.96.0.10').answer?.name !== 'c') await sleep(100)
  const { sent, lost } = await stop()
  assert.ok(sent > 0)
  assert.equal(lost, 0, 'the old backend lives on, and what moved to the new one was answered')
  node.write('slice.json', slice([]))
  while (client.ask('10.96.0.10').error !== 'ECONNREFUSED') await sleep(100)
})

function service(clusterIP: string) {
  const ports = [
    { name: 'tcp', port: 80, protocol: 'TCP' },
    { name: 'udp', port: 53, protocol: 'UDP' },
  ]
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { clusterIP, clusterIPs: [clusterIP], ports },
  }
}

function slice(addresses: readonly string[]) {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'web-1',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'web' },
    },
    addressType: 'IPv4',
    ports: [
      { name: 'tcp', port: 80, protocol: 'TCP' },
      { name: 'udp', port: 53, protocol: 'UDP' },
    ],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  }
}

test('a drop is counted and told to whoever watches', async () => {
  const node = new TestNode(scene, 1)
  node.know(node)
  await node.start()
  const pod = await node.addPod('a')
  const events = node.watch()
  await sleep(200)
  assert.equal(pod.reaches('10.0.1.77', 'ask').ok, false)
  await sleep(200)
  const drops = events().filter(({ reason }) => reason === 'no_endpoint')
  assert.ok(drops.length > 0)
  assert.equal(drops[0]?.program, 'from_pod')
  assert.equal(drops[0]?.tuple.source, pod.addresses[0])
  const { dropped } = (await node.get('/v1/status')) as { dropped: number }
  assert.ok(dropped > 0)
})

function attachedToCgroup({ cgroup }: TestNode): string {
  return run('bpftool', 'cgroup', 'show', cgroup).trim()
}

/** In a process of its own, as it works on the namespace it is in. */
function removeAllIn({ netns, bpfRoot }: TestNode): void {
  const source = dirname(import.meta.dirname)
  const script = [
    `import { removeAll } from '${source}/../src/datapath/remove.ts'`,
    `import { openLibrary } from '${source}/../src/libbpf/library.ts'`,
    `removeAll({ library: openLibrary(), bpfRoot: '${bpfRoot}' })`,
  ].join('\n')
  const node = [process.execPath, '--input-type=module', '--eval', script]
  run('nsenter', `--net=/run/netns/${netns}`, ...node)
}

/** The first answer, once there is one. */
async function until<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      if (attempt > 100) throw error
      await sleep(100)
    }
  }
}
