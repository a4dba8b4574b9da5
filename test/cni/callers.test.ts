// The runtimes as they really call: containerd with loopback beside it and Go's case, CRI-O with
// CHECK from its cache, nerdctl with a DEL before each ADD; and a host port that works as ADD ends.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Place } from '../netns/place.ts'
import { Scene } from '../netns/scene.ts'
import { KernelNode } from './kernel-node.ts'
import { buildPlugin } from './plugin.ts'

const scene = new Scene()
let node: KernelNode

before(async () => {
  buildPlugin()
  node = await KernelNode.start()
})
after(async () => {
  await scene.dispose()
  await node?.[Symbol.asyncDispose]()
})

const place = (netns: string) => new Place(scene, netns.slice('/run/netns/'.length))

function assertNothingLeft(): void {
  assert.deepEqual(
    [node.hostInterfaces(), node.podRoutes(), node.place.endpointFiles()],
    [[], [], []],
  )
}

test('containerd: loopback at the same time, Go names, DEL without a namespace', async () => {
  const netns = node.addPod('containerd')
  const args = 'K8S_POD_UID=u;IgnoreUnknown=1;K8S_POD_INFRA_CONTAINER_ID=c1;X=y;K8S_POD_NAME=a'
  const env = { CNI_ARGS: `${args};K8S_POD_NAMESPACE=shop` }
  const dns = { Servers: ['10.96.0.10'], Searches: ['svc'], Options: ['ndots:5'] }
  const bandwidth = { IngressRate: 0, IngressBurst: 0, EgressRate: 8e6, EgressBurst: 4294967295 }
  const runtimeConfig = { dns, bandwidth, PortMappings: null }
  const cniVersion = '1.0.0'
  const add = node.run('ADD', { netns, env, config: { cniVersion, runtimeConfig } })
  // What cni-loopback does, again and again while ADD runs.
  let done = false
  void add.then(() => {
    done = true
  })
  while (!done) {
    node.ip('link set lo up', netns)
    await new Promise((next) => setTimeout(next, 1))
  }
  const { exitCode, json, stdout } = await add
  assert.equal(exitCode, 0, stdout)
  assert.deepEqual(json.dns, { nameservers: ['10.96.0.10'], search: ['svc'], options: ['ndots:5'] })
  assert.equal(place(netns).reaches('127.0.0.1', 'ping').ok, true)
  for (let i = 0; i < 2; i++) {
    const { exitCode: gone } = await node.run('DEL', { netns: '', env, config: { cniVersion } })
    assert.equal(gone, 0)
  }
  assertNothingLeft()
})

test('CRI-O: CHECK with the cached answer of each version, STATUS, GC of the valid', async () => {
  for (const cniVersion of ['0.4.0', '1.0.0', '1.1.0']) {
    const netns = node.addPod(`crio-${cniVersion}`)
    const config = { cniVersion, runtimeConfig: { bandwidth: { ingressRate: 8e6 } } }
    const { json: prevResult } = await node.run('ADD', { netns, config })
    const check = () => node.run('CHECK', { netns, config: { cniVersion, prevResult } })
    assert.equal((await check()).stdout, '')
    const { name } = prevResult.interfaces[0]
    scene.tc(node.netns, 'qdisc', 'replace', 'dev', name, 'root', 'pfifo')
    const changed = await check()
    assert.equal(changed.json.code, 102)
    assert.match(changed.json.msg, /is not held to 8000000 bits a second/)
    if (cniVersion === '1.1.0') {
      assert.equal((await node.run('STATUS')).stdout, '')
      const valid = [{ containerID: 'c1', ifname: 'eth0' }]
      const lists = { 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid }
      assert.equal((await node.run('GC', { config: lists })).exitCode, 0)
      assert.equal(node.hostInterfaces().length, 1, 'what is valid stays')
    }
    assert.equal((await node.run('DEL', { netns, config: { cniVersion, prevResult } })).exitCode, 0)
  }
  assertNothingLeft()
})

test('nerdctl: DEL with nothing there, ADD, DEL of a namespace that has gone', async () => {
  const netns = node.addPod('nerdctl')
  const env = { CNI_ARGS: 'IgnoreUnknown=1;NERDCTL_CNI_DHCP_HOSTNAME=h;IP=10.0.1.44' }
  const config = { cniVersion: '1.0.0', runtimeConfig: { portMappings: [] } }
  for (let i = 0; i < 2; i++) {
    assert.equal((await node.run('DEL', { netns: '', env, config })).exitCode, 0)
    const { exitCode, json, stdout } = await node.run('ADD', { netns, env, config })
    assert.equal(exitCode, 0, stdout)
    assert.equal(json.ips[0].address, '10.0.1.44/32')
    assert.equal((await node.run('DEL', { netns: '', env, config })).exitCode, 0)
  }
  assertNothingLeft()
})

test("a host port answers as ADD ends, is one pod's, and is free after DEL", async () => {
  const [asks, one, two] = ['asks', 'one', 'two'].map((name) => node.addPod(name))
  assert.ok(asks && one && two)
  const config = {
    runtimeConfig: { PortMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp' }] },
  }
  await node.run('ADD', { netns: asks, containerId: 'asks' })
  const pod = (name: string) => ({ CNI_ARGS: `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${name}` })
  for (const [name, netns, next] of [
    ['one', one, two],
    ['two', two, one],
  ] as const) {
    await place(netns).serve(name)
    const { exitCode, stdout } = await node.run('ADD', {
      ...{ netns, containerId: name, env: pod(name), config },
    })
    assert.equal(exitCode, 0, stdout)
    for (const address of ['192.168.77.1', 'fd77::1']) {
      const { answer, error } = place(asks).ask(address, 8080)
      assert.equal(answer?.name, name, `${address}: ${error}`)
    }
    const refused = await node.run('ADD', { netns: next, containerId: 'late', config })
    assert.match(refused.json.msg, new RegExp(`host port 8080/TCP is taken: pod shop/${name} has`))
    assert.equal((await node.run('DEL', { netns, containerId: name })).exitCode, 0)
  }
  assert.equal((await node.run('DEL', { netns: asks, containerId: 'asks' })).exitCode, 0)
  assertNothingLeft()
})
