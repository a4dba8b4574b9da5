// Weir under the real Multus: as the cluster's network, and again for a second interface of the
// same pod; without an API server (delegates in the configuration) and with one (annotations).
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { buildOther, MULTUS } from '../../src/cluster/build.ts'
import { cacheDirectory } from '../../src/cluster/paths.ts'
import { Place } from '../netns/place.ts'
import { Scene } from '../netns/scene.ts'
import { KernelNode } from './kernel-node.ts'
import { BINARY, buildPlugin, type PluginResult } from './plugin.ts'

const API_PORT = 6443
const scene = new Scene()
let node: KernelNode
let multus: string
let other: string

before(async () => {
  buildPlugin()
  multus = await buildOther(cacheDirectory(), console.log, MULTUS)
  node = await KernelNode.start()
  other = node.addPod('other')
  assert.equal((await node.run('ADD', { netns: other, containerId: 'other' })).exitCode, 0)
  await place(other).serve('other')
})
after(async () => {
  await scene.dispose()
  await node?.[Symbol.asyncDispose]()
})

const place = (netns: string) => new Place(scene, netns.slice('/run/netns/'.length))

/** Weir's plugin as one of Multus' delegates. */
function delegate(name: string, capabilities: object = {}, more: object = {}): object {
  const { dir, stateDir } = node.place
  const places = { socket: join(dir, 'run', 'weir.sock'), stateDir, agentWaitMs: 5000 }
  const plugin = { type: 'weir-cni', capabilities, ...places, ...more }
  return { cniVersion: '1.0.0', name, plugins: [plugin] }
}

interface Call {
  readonly netns: string
  readonly podName: string
  readonly delegates: readonly object[]
  readonly more?: object
}

function run(verb: string, { netns, podName, delegates, more = {} }: Call): Promise<PluginResult> {
  const cniDir = join(node.place.dir, 'multus')
  mkdirSync(cniDir, { recursive: true })
  const pod = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${podName};K8S_POD_UID=u-${podName}`
  const conf = { cniVersion: '1.0.0', name: 'multus', type: 'multus', cniDir, logToStderr: false }
  return node.run(verb, {
    ...{ binary: multus, containerId: podName, netns },
    stdin: JSON.stringify({ ...conf, binDir: join(BINARY, '..'), delegates, ...more }),
    env: { CNI_PATH: join(BINARY, '..'), CNI_ARGS: `IgnoreUnknown=1;${pod}` },
  })
}

/** Addresses of an interface, IPv4 first. */
function addressesOf(netns: string, ifName: string): string[] {
  const [link] = node.ip(`addr show dev ${ifName} scope global`, netns)
  // iproute2 leaves empty objects for what the filter took away.
  return link.addr_info.flatMap(({ local }: { local?: string }) => local ?? [])
}

const defaults = (netns: string): string[] =>
  ['-4', '-6'].flatMap((family) =>
    node.ip(`${family} route show default`, netns).map(({ dev }: { dev: string }) => dev),
  )

function assertReached(netns: string, ...ifNames: string[]): void {
  for (const from of [place(other), place(`/run/netns/${node.netns}`)]) {
    for (const address of ifNames.flatMap((ifName) => addressesOf(netns, ifName))) {
      const { ok, detail } = from.reaches(address)
      assert.ok(ok, `${from.netns} to ${address}: ${detail}`)
    }
  }
  for (const address of addressesOf(other, 'eth0')) {
    const { ok, detail } = place(netns).reaches(address)
    assert.ok(ok, detail)
  }
}

test('as delegates: two interfaces, both reached, the first with the default routes', async () => {
  const netns = node.addPod('delegates')
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }]
  const ports = { portMappings: true }
  const call = {
    ...{ netns, podName: 'delegates', more: { runtimeConfig: { portMappings } } },
    delegates: [delegate('weir', ports), delegate('weir-second', ports)],
  }
  const { exitCode, json, stdout } = await run('ADD', call)
  assert.equal(exitCode, 0, stdout)
  assert.deepEqual(
    json.ips.map(({ address }: { address: string }) => address.split('/')[0]),
    addressesOf(netns, 'eth0'),
    'the answer is the first network',
  )
  assert.deepEqual(defaults(netns), ['eth0', 'eth0'])
  await place(netns).serve('delegates')
  assertReached(netns, 'eth0', 'net1')
  const check = await run('CHECK', { ...call, more: { prevResult: json } })
  assert.deepEqual([check.exitCode, check.stdout], [0, ''])
  for (let i = 0; i < 2; i++) {
    const gone = await run('DEL', { ...call, netns: '' })
    assert.deepEqual([gone.exitCode, gone.stdout], [0, ''])
  }
  assert.equal(node.hostInterfaces().length, 1, 'only the other pod is left')
})

test('a second network that fails takes the first along', async () => {
  const netns = node.addPod('fails')
  const broken = delegate('broken', {}, { ipam: { type: 'host-local' } })
  const call = { netns, podName: 'fails', delegates: [delegate('weir'), broken] }
  const { exitCode } = await run('ADD', call)
  assert.equal(exitCode, 1)
  assert.equal(node.hostInterfaces().length, 1)
  assert.equal((await run('DEL', call)).exitCode, 0)
})

test('by annotation: the name and the addresses that the pod asked for', async () => {
  const second = { name: 'second', namespace: 'default', interface: 'inner7' }
  // Multus 4.2.3 wants to move the default route and cannot: its library no longer calls one nil.
  const wishes = { ips: ['10.0.1.77/24', 'fd00:1::77/64'], 'default-route': ['10.0.1.1'] }
  const annotations = {
    'k8s.v1.cni.cncf.io/networks': JSON.stringify([{ ...second, ...wishes }]),
  }
  const metadata = { name: 'annotated', namespace: 'default', uid: 'u-annotated', annotations }
  const kubeconfig = await serveApi({
    pods: { 'default/annotated': { apiVersion: 'v1', kind: 'Pod', metadata } },
    definitions: {
      second: {
        ...{ apiVersion: 'k8s.cni.cncf.io/v1', kind: 'NetworkAttachmentDefinition' },
        metadata: { name: 'second', namespace: 'default' },
        spec: { config: JSON.stringify(delegate('second', { ips: true })) },
      },
    },
  })
  const netns = node.addPod('annotated')
  const more = { kubeconfig }
  const call = { netns, podName: 'annotated', delegates: [delegate('weir')], more }
  const { exitCode, stdout } = await run('ADD', call)
  assert.equal(exitCode, 0, stdout)
  assert.deepEqual(addressesOf(netns, 'inner7'), ['10.0.1.77', 'fd00:1::77'])
  await place(netns).serve('annotated')
  assertReached(netns, 'eth0', 'inner7')
  const before = defaults(netns)
  await node.killAgent()
  await node.startAgent()
  await node.resynced()
  assert.deepEqual(defaults(netns), before, 'the agent leaves alone what Multus arranged')
  assertReached(netns, 'eth0', 'inner7')
  assert.equal((await run('DEL', call)).exitCode, 0)
  assert.equal(node.hostInterfaces().length, 1)
  assert.deepEqual(
    readdirSync(join(node.place.dir, 'multus')).filter((name) => name === 'annotated'),
    [],
  )
})

/** Path of a kubeconfig for a server that runs in the node's namespace. */
async function serveApi(objects: object): Promise<string> {
  const program = [process.execPath, join(import.meta.dirname, 'pretended-api.ts')]
  const server = spawn(
    'nsenter',
    [`--net=/run/netns/${node.netns}`, ...program, String(API_PORT)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, OBJECTS: JSON.stringify(objects) },
    },
  )
  scene.defer(() => void server.kill('SIGKILL'))
  await once(server.stdout, 'data')
  const path = join(scene.directory, 'kubeconfig')
  const cluster = { name: 'c', cluster: { server: `http://127.0.0.1:${API_PORT}` } }
  const context = { name: 'x', context: { cluster: 'c', user: 'u' } }
  const config = { apiVersion: 'v1', kind: 'Config', 'current-context': 'x' }
  const users = [{ name: 'u', user: {} }]
  writeFileSync(
    path,
    JSON.stringify({ ...config, clusters: [cluster], contexts: [context], users }),
  )
  return path
}
