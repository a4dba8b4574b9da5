// ADD: the row, the result, and that a failure leaves nothing behind.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Scene } from '../../support/cni-scene.ts'

const files = ({ stateDir }: Scene) => readdirSync(join(stateDir, 'endpoints'))

test('ADD writes the whole row, keeps it on disk and answers once the kernel has it', async () => {
  await using scene = new Scene()
  const args = 'K8S_POD_NAME=web;IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_UID=u-1;X=y'
  const { exitCode, json } = await scene.call('ADD', { env: { CNI_ARGS: args } })
  assert.equal(exitCode, 0)
  const row = scene.kernel.get('c1/eth0')
  assert.ok(row)
  assert.deepEqual(
    { ...row, mac: '', hostMac: '' },
    {
      ...{ id: 1, containerId: 'c1', ifName: 'eth0', netns: '/proc/self/ns/uts', network: 'weir' },
      ...{ podNamespace: 'shop', podName: 'web', podUid: 'u-1', mtu: 1450, mac: '', hostMac: '' },
      ...{ addresses: ['10.0.1.2', 'fd00:1::2'], hostIfName: 'weird72e032fedd' },
      hostPorts: [],
    },
  )
  assert.match(row.mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/)
  assert.notEqual(row.mac, row.hostMac)
  assert.deepEqual(files(scene), ['1.json'])
  assert.equal(json.ips[0].address, '10.0.1.2/32')
})

test('ADD that the kernel refuses names the reason and leaves nothing behind', async () => {
  await using scene = new Scene({ podCidrs: ['10.0.1.0/30'] })
  scene.refuse('Cannot create veth: File exists')
  const { exitCode, json } = await scene.call('ADD')
  assert.equal(exitCode, 1)
  assert.deepEqual(json, {
    ...{ cniVersion: '1.1.0', code: 100 },
    msg: 'Cannot attach c1/eth0: Cannot create veth: File exists',
  })
  assert.deepEqual([scene.kernel.size, scene.tables.endpoints.size, files(scene)], [0, 0, []])
  scene.refuse(undefined)
  const again = await scene.call('ADD')
  assert.equal(again.json.ips[0].address, '10.0.1.2/32', 'the only address was given back')
})

test('ADD repeated for one attachment fails and takes no second address', async () => {
  await using scene = new Scene({ podCidrs: ['10.0.1.0/29'] })
  await scene.call('ADD')
  const second = await scene.call('ADD')
  assert.equal(second.json.code, 101)
  assert.match(second.json.msg, /c1 already has interface eth0/)
  assert.equal(scene.kernel.size, 1)
  const third = await scene.call('ADD', { containerId: 'c2' })
  assert.equal(third.json.ips[0].address, '10.0.1.3/32')
})

test('ADD twice at once for one attachment: one succeeds', async () => {
  await using scene = new Scene()
  const answers = await Promise.all([scene.call('ADD'), scene.call('ADD')])
  assert.deepEqual(answers.map(({ exitCode }) => exitCode).sort(), [0, 1])
  assert.equal(scene.kernel.size, 1)
})

test('ADD of a second interface gets addresses of its own', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  const { json } = await scene.call('ADD', { ifName: 'net1' })
  assert.equal(json.ips[0].address, '10.0.1.3/32')
  assert.notEqual(scene.kernel.get('c1/net1')?.hostIfName, scene.kernel.get('c1/eth0')?.hostIfName)
})

test('100 ADDs at once all differ', async () => {
  await using scene = new Scene()
  const ids = Array.from({ length: 100 }, (_, i) => `c${i}`)
  const answers = await Promise.all(ids.map((containerId) => scene.call('ADD', { containerId })))
  assert.ok(answers.every(({ exitCode }) => exitCode === 0))
  const rows = [...scene.kernel.values()]
  for (const field of ['id', 'mac', 'hostMac', 'hostIfName'] as const) {
    assert.equal(new Set(rows.map((row) => row[field])).size, 100, field)
  }
  assert.equal(new Set(rows.flatMap(({ addresses }) => addresses)).size, 200)
})

test('ADD waits for the DEL of the same attachment to be carried out', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  const release = scene.hold('delete')
  const del = scene.call('DEL')
  const add = scene.call('ADD')
  release()
  assert.equal((await del).exitCode, 0)
  assert.equal((await add).exitCode, 0)
  assert.deepEqual(scene.kernel.get('c1/eth0')?.addresses, ['10.0.1.3', 'fd00:1::3'])
})

test('DEL during ADD: the ADD fails, the DEL succeeds, nothing is left', async () => {
  await using scene = new Scene()
  const release = scene.hold('update')
  const add = scene.call('ADD')
  await new Promise((resolve) => setTimeout(resolve, 5))
  const del = scene.call('DEL')
  release()
  assert.equal((await add).json.code, 11)
  assert.match((await add).json.msg, /deleted meanwhile/)
  assert.equal((await del).exitCode, 0)
  assert.deepEqual([scene.kernel.size, files(scene)], [0, []])
})

test('ADD, DEL and ADD again without waiting: the last one has the attachment', async () => {
  await using scene = new Scene()
  const answers = await Promise.all(['ADD', 'DEL', 'ADD', 'ADD'].map((verb) => scene.call(verb)))
  assert.deepEqual(
    answers.map(({ json }) => json?.code ?? 0),
    [11, 0, 0, 101],
  )
  assert.equal(scene.kernel.size, 1)
  assert.equal(files(scene).length, 1)
})

test('ADD that takes too long answers 11, and its undoing goes on alone', async () => {
  await using scene = new Scene({ waitMs: 300 })
  const release = scene.hold('update')
  const { json } = await scene.call('ADD')
  assert.equal(json.code, 11)
  assert.deepEqual(files(scene), ['1.json'], 'held until the kernel is rid of it')
  release()
  await scene.reconciler.idle()
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([scene.kernel.size, files(scene)], [0, []])
})

test('ADD without free addresses is 11 naming podCIDR and counts; STATUS is 50', async () => {
  await using scene = new Scene({ podCidrs: ['10.0.1.0/30'] })
  assert.equal((await scene.call('STATUS')).exitCode, 0)
  await scene.call('ADD')
  const full = await scene.call('ADD', { containerId: 'c2' })
  assert.equal(full.json.code, 11)
  assert.match(full.json.msg, /podCIDR 10\.0\.1\.0\/30 has 1 pod addresses and 1 are in use/)
  assert.equal((await scene.call('STATUS')).json.code, 50)
  await scene.call('DEL')
  assert.equal((await scene.call('STATUS')).exitCode, 0)
})

test('ADD waits for an agent that is starting; STATUS does not', async () => {
  await using scene = new Scene()
  scene.notReady = 'programs are loading'
  const add = scene.call('ADD')
  assert.equal((await scene.call('STATUS')).json.code, 50)
  scene.notReady = undefined
  assert.equal((await add).exitCode, 0)
})

test('ADD and STATUS of an agent that is not ready answer 11 and 50', async () => {
  await using scene = new Scene({ readyMs: 0 })
  scene.notReady = 'programs are not loaded'
  for (const [verb, code] of [['ADD', 11] as const, ['STATUS', 50] as const]) {
    const { json } = await scene.call(verb)
    assert.deepEqual([json.code, json.msg], [code, 'Cannot take pods: programs are not loaded'])
  }
  scene.notReady = undefined
  scene.podCidrs = []
  assert.equal((await scene.call('ADD')).json.msg, 'Cannot take pods: the node has no podCIDR')
})

test('ADD honours mac and ips from capability, args.cni and CNI_ARGS, in that order', async () => {
  await using scene = new Scene()
  const runtimeConfig = { mac: '02:00:00:00:00:AA', ips: ['10.0.1.9/24', 'fd00:1::9/64'] }
  const cni = { mac: '02:00:00:00:00:bb', ips: ['10.0.1.10'] }
  const env = { CNI_ARGS: 'MAC=02:00:00:00:00:cc;IP=10.0.1.11' }
  const wishes: [Record<string, unknown>, string, string[]][] = [
    [{ runtimeConfig, args: { cni } }, '02:00:00:00:00:aa', ['10.0.1.9', 'fd00:1::9']],
    [{ args: { cni } }, '02:00:00:00:00:bb', ['10.0.1.10', 'fd00:1::2']],
    [{}, '02:00:00:00:00:cc', ['10.0.1.11', 'fd00:1::3']],
  ]
  for (const [config, mac, addresses] of wishes) {
    const containerId = `c-${addresses[0]}`
    assert.equal((await scene.call('ADD', { containerId, config, env })).exitCode, 0)
    const row = scene.kernel.get(`${containerId}/eth0`)
    assert.deepEqual([row?.mac, row?.addresses], [mac, addresses])
  }
})

test('ADD refuses what it cannot honour instead of ignoring it', async () => {
  await using scene = new Scene()
  const bad: [Record<string, unknown>, number, RegExp][] = [
    [{ runtimeConfig: { infinibandGUID: 'c2:11:22' } }, 2, /"runtimeConfig.infinibandGUID"/],
    [{ ipam: { type: 'host-local' } }, 2, /"ipam"/],
    [{ prevResult: { cniVersion: '1.1.0', ips: [] } }, 7, /prevResult/],
    [{ runtimeConfig: { mac: 'nonsense' } }, 7, /MAC/],
    [{ runtimeConfig: { mac: '01:00:5e:00:00:01' } }, 7, /group address/],
    [{ runtimeConfig: { ips: ['10.9.0.1/24'] } }, 7, /podCIDRs/],
    [{ runtimeConfig: { ips: ['10.0.1.5', '10.0.1.6'] } }, 7, /one per family/],
    [{ runtimeConfig: { ips: 'elsewhere' } }, 7, /elsewhere/],
  ]
  for (const [config, code, text] of bad) {
    const { json } = await scene.call('ADD', { config })
    assert.equal(json.code, code, JSON.stringify(config))
    assert.match(json.msg, text)
  }
  assert.equal(scene.tables.endpoints.size, 0)
  const runtimeConfig = {
    ...{ PortMappings: [], bandwidth: {}, cgroupPath: '/kubepods' },
    'io.kubernetes.cri.pod-annotations': { a: 'b' },
  }
  assert.equal((await scene.call('ADD', { config: { runtimeConfig } })).exitCode, 0)
})

test('ADD checks the namespace: 3 absent, 4 no namespace, 8 the node itself', async () => {
  await using scene = new Scene()
  const cases: [string, number][] = [
    ['/run/netns/weir-absent', 3],
    ['/etc/hostname', 4],
    ['/proc/self/ns/net', 8],
  ]
  for (const [netns, code] of cases) {
    assert.equal((await scene.call('ADD', { netns })).json.code, code, netns)
  }
  const env = { CNI_NETNS_OVERRIDE: 'TRUE' }
  assert.equal((await scene.call('ADD', { netns: '/proc/self/ns/net', env })).exitCode, 0)
})
