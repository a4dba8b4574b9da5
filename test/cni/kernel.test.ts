// CNI conformance over the real datapath: the binary, the agent, namespaces, veths and programs.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { golden } from '../support/cni-golden.ts'
import { KernelNode } from './kernel-node.ts'
import { buildPlugin } from './plugin.ts'

let node: KernelNode

before(async () => {
  buildPlugin()
  node = await KernelNode.start()
})
after(() => node?.[Symbol.asyncDispose]())

interface ShownLink {
  readonly ifname: string
  readonly address: string
  readonly mtu: number
  readonly flags: readonly string[]
  readonly addr_info: readonly { local: string; prefixlen: number; tentative?: boolean }[]
}

function podLink(netns: string, ifName = 'eth0'): ShownLink {
  const links: ShownLink[] = node.ip('addr show', netns)
  const link = links.find(({ ifname }) => ifname === ifName)
  assert.ok(link, `no ${ifName} in ${netns}`)
  return link
}

const defaultRoutes = (netns: string): { gateway: string; dev: string }[] => [
  ...node.ip('-4 route show default', netns),
  ...node.ip('-6 route show default', netns),
]

function assertNothingLeft(): void {
  assert.deepEqual(node.hostInterfaces(), [])
  assert.deepEqual(node.podRoutes(), [])
  assert.deepEqual(node.place.endpointFiles(), [])
}

test('ADD makes what its result says; CHECK agrees; DEL takes all of it away', async () => {
  const netns = node.addPod('a')
  const { exitCode, json, stdout } = await node.run('ADD', { netns })
  assert.equal(exitCode, 0, stdout)
  const inside = podLink(netns)
  const [hostIfName = ''] = node.hostInterfaces()
  const host: ShownLink[] = node.ip(`addr show ${hostIfName}`)
  const held = inside.addr_info.filter(({ local }) => !local.startsWith('fe80'))
  assert.deepEqual(
    held.map(({ local, prefixlen, tentative }) => [`${local}/${prefixlen}`, tentative]),
    json.ips.map(({ address }: { address: string }) => [address, undefined]),
  )
  const [address4 = '', address6 = ''] = held.map(({ local }) => local)
  const expected = golden('1.1.0', {
    ...{ netns, hostIfName, mac: inside.address, hostMac: host[0]?.address ?? '' },
    ...{ address4, address6, gateway4: '10.0.1.1', gateway6: 'fd00:1::1' },
  })
  const interfaces = json.interfaces.map((item: object) => ({ ...item, mtu: 1450 }))
  assert.deepEqual({ ...json, interfaces }, expected)
  assert.equal(inside.mtu, json.interfaces[1].mtu)
  assert.ok(inside.flags.includes('UP') && podLink(netns, 'lo').flags.includes('UP'))
  assert.deepEqual(
    defaultRoutes(netns).map(({ gateway, dev }) => [gateway, dev]),
    [
      ['10.0.1.1', 'eth0'],
      ['fd00:1::1', 'eth0'],
    ],
  )
  assert.deepEqual(node.podRoutes(), [address4, address6])
  const check = await node.run('CHECK', { netns, config: { prevResult: json } })
  assert.deepEqual([check.exitCode, check.stdout], [0, ''])
  for (const path of [netns, '', netns]) {
    assert.equal((await node.run('DEL', { netns: path, config: { prevResult: json } })).exitCode, 0)
  }
  assertNothingLeft()
  assert.throws(() => podLink(netns))
})

test('CHECK names what somebody took away', async () => {
  const netns = node.addPod('check')
  const { json: prevResult } = await node.run('ADD', { netns })
  const [address] = prevResult.ips
  const [hostIfName] = node.hostInterfaces()
  const check = () => node.run('CHECK', { netns, config: { prevResult } })
  node.ip('route del default', netns)
  const noRoute = await check()
  assert.equal(noRoute.json.code, 102)
  assert.match(noRoute.json.msg, /no default route via 10\.0\.1\.1/)
  node.ip(`addr del ${address.address} dev eth0`, netns)
  assert.match((await check()).json.details, /lost address 10\.0\.1\./)
  node.ip(`link del ${hostIfName}`)
  assert.match((await check()).json.msg, /is missing on the node/)
  assert.equal((await node.run('DEL', { netns })).exitCode, 0)
  assertNothingLeft()
})

test('ADD fails on an interface that exists, leaves it alone, and takes nothing', async () => {
  const netns = node.addPod('taken')
  node.ip('link add eth0 type veth peer name other0', netns)
  const { address } = podLink(netns)
  const { exitCode, json } = await node.run('ADD', { netns })
  assert.deepEqual([exitCode, json.code], [1, 100])
  assert.match(json.msg, /^Cannot attach c1\/eth0: .*(EEXIST|exists)/)
  assert.equal(podLink(netns).address, address)
  assertNothingLeft()
})

test('a second interface has its own addresses, and its DEL leaves the first whole', async () => {
  const netns = node.addPod('two')
  const first = await node.run('ADD', { netns })
  const second = await node.run('ADD', { netns, ifName: 'fifteen-bytes15' })
  assert.deepEqual([first.exitCode, second.exitCode], [0, 0], second.stdout)
  assert.notEqual(first.json.ips[0].address, second.json.ips[0].address)
  for (const { json, ifName } of [
    { json: first.json, ifName: 'eth0' },
    { json: second.json, ifName: 'fifteen-bytes15' },
  ]) {
    const both = await node.run('CHECK', { netns, ifName, config: { prevResult: json } })
    assert.deepEqual([both.exitCode, both.stdout], [0, ''])
  }
  assert.equal((await node.run('DEL', { netns, ifName: 'fifteen-bytes15' })).exitCode, 0)
  const check = await node.run('CHECK', { netns, config: { prevResult: first.json } })
  assert.deepEqual([check.exitCode, check.stdout], [0, ''])
  assert.equal((await node.run('DEL', { netns })).exitCode, 0)
  assertNothingLeft()
})

test('DEL removes what is left when the namespace is gone or its path a plain file', async () => {
  const gone = node.addPod('gone')
  await node.run('ADD', { netns: gone })
  execFileSync('ip', ['netns', 'del', gone.slice('/run/netns/'.length)])
  assert.equal((await node.run('DEL', { netns: gone })).exitCode, 0)
  assertNothingLeft()
  const file = join(node.place.dir, 'not-a-namespace')
  writeFileSync(file, '')
  assert.equal((await node.run('DEL', { netns: file })).exitCode, 0)
  assert.equal((await node.run('ADD', { netns: file })).json.code, 4)
  assert.equal((await node.run('ADD', { netns: `/run/netns/${node.netns}` })).json.code, 8)
  assertNothingLeft()
})

test('100 ADDs at once, and one GC with an empty list', async () => {
  const pods = Array.from({ length: 100 }, (_, i) => node.addPod(`many${i}`))
  const added = await Promise.all(
    pods.map((netns, i) => node.run('ADD', { netns, containerId: `many${i}` })),
  )
  const failed = added.filter(({ exitCode }) => exitCode !== 0)
  assert.deepEqual(
    failed.map(({ stdout }) => stdout),
    [],
  )
  assert.equal(node.hostInterfaces().length, 100)
  assert.equal(new Set(node.podRoutes()).size, 200)
  pods.forEach((netns, i) => {
    const [{ address }] = added[i]?.json.ips ?? [{}]
    assert.equal(`${podLink(netns).addr_info[0]?.local}/32`, address)
  })
  const config = { 'cni.dev/valid-attachments': [], 'cni.dev/attachments': [] }
  const collected = await node.run('GC', { config })
  assert.deepEqual([collected.exitCode, collected.stdout], [0, ''])
  assertNothingLeft()
})

test('an agent that is killed and started again knows its pods', async () => {
  const netns = node.addPod('lives')
  const away = node.addPod('leaves')
  const { json: prevResult } = await node.run('ADD', { netns })
  await node.run('ADD', { netns: away, containerId: 'c2' })
  await node.killAgent()
  assert.equal((await node.run('DEL', { netns: '', containerId: 'c2' })).exitCode, 0, 'queued')
  assert.equal(node.hostInterfaces().length, 2, 'the datapath outlives the agent')
  await node.startAgent()
  while (node.place.queued().length > 0) await sleep(5)
  assert.equal(node.hostInterfaces().length, 1)
  const check = await node.run('CHECK', { netns, config: { prevResult } })
  assert.deepEqual([check.exitCode, check.stdout], [0, ''])
  assert.equal((await node.run('ADD', { netns })).json.code, 101)
  assert.equal((await node.run('DEL', { netns })).exitCode, 0)
  assertNothingLeft()
})

test('an agent killed in the middle of ADDs: their DELs leave nothing', async () => {
  const pods = Array.from({ length: 10 }, (_, i) => node.addPod(`crash${i}`))
  const config = { agentWaitMs: 1 }
  const adding = pods.map((netns, i) =>
    node.run('ADD', { netns, containerId: `crash${i}`, config }),
  )
  const path = join(node.place.stateDir, 'endpoints')
  while (node.place.endpointFiles().length === 0 && existsSync(path)) await sleep(1)
  await node.killAgent()
  for (const { exitCode, json } of await Promise.all(adding)) {
    if (exitCode !== 0) assert.equal(json.code, 11)
  }
  for (const [i, netns] of pods.entries()) {
    assert.equal((await node.run('DEL', { netns, containerId: `crash${i}` })).exitCode, 0)
  }
  await node.startAgent()
  while (node.place.queued().length > 0) await sleep(5)
  assertNothingLeft()
})
