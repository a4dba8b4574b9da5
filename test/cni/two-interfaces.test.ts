// A pod with two interfaces of Weir: both are reached and answer by their own addresses, the first
// keeps the default routes, and each can go without the other. Strict reverse-path filtering is on.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Place } from '../netns/place.ts'
import { Scene } from '../netns/scene.ts'
import { KernelNode } from './kernel-node.ts'
import { buildPlugin } from './plugin.ts'

const scene = new Scene()
let node: KernelNode
let pod: string
let other: string
// biome-ignore lint/suspicious/noExplicitAny: tests read the JSON as a runtime would
const results: any[] = []

const place = (netns: string) => new Place(scene, netns.slice('/run/netns/'.length))
const addressesOf = ({ ips }: { ips: { address: string }[] }): string[] =>
  ips.map(({ address }) => address.split('/')[0] ?? '')

before(async () => {
  buildPlugin()
  node = await KernelNode.start()
  pod = node.addPod('two')
  other = node.addPod('other')
  const strict = 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 > $f; done'
  execFileSync('nsenter', [`--net=${pod}`, 'sh', '-c', strict])
  for (const ifName of ['eth0', 'net1']) {
    const { exitCode, json, stdout } = await node.run('ADD', { netns: pod, ifName })
    assert.equal(exitCode, 0, stdout)
    results.push(json)
  }
  execFileSync('nsenter', [`--net=${pod}`, 'sh', '-c', strict])
  const { json } = await node.run('ADD', { netns: other, containerId: 'c2' })
  results.push(json)
  await place(pod).serve('two')
  await place(other).serve('other')
})
after(async () => {
  await scene.dispose()
  await node?.[Symbol.asyncDispose]()
})

const check = (ifName: string, prevResult: unknown) =>
  node.run('CHECK', { netns: pod, ifName, config: { prevResult } })

const defaults = (): string[] =>
  ['-4', '-6'].flatMap((family) =>
    node.ip(`${family} route show default`, pod).map(({ dev }: { dev: string }) => dev),
  )

function assertReached(addresses: readonly string[]): void {
  for (const from of [place(other), place(`/run/netns/${node.netns}`)]) {
    for (const address of addresses) {
      const { ok, detail } = from.reaches(address)
      assert.ok(ok, `${from.netns} to ${address}: ${detail}`)
    }
  }
}

test('both interfaces are reached, and the pod reaches others by the first', async () => {
  assert.deepEqual(results[1].routes, [], 'the second says nothing of default routes')
  assert.deepEqual(defaults(), ['eth0', 'eth0'])
  assertReached([...addressesOf(results[0]), ...addressesOf(results[1])])
  for (const address of addressesOf(results[2])) {
    assert.ok(place(pod).reaches(address).ok)
    const [way] = node.ip(`route get ${address}`, pod)
    const [bound] = node.ip(`route get ${address} oif net1`, pod)
    assert.deepEqual([way.dev, bound.dev], ['eth0', 'net1'])
    assert.ok(addressesOf(results[0]).includes(way.prefsrc))
  }
  for (const [i, ifName] of ['eth0', 'net1'].entries()) {
    assert.equal((await check(ifName, results[i])).stdout, '')
  }
})

test('CHECK names what the second interface has lost, and the agent repairs it', async () => {
  node.ip('rule del pref 20000', pod)
  const lost = await check('net1', results[1])
  assert.deepEqual(lost.json.code, 102)
  assert.match(lost.json.details, /the pod has lost the IPv4 rules of net1/)
  assert.equal((await check('eth0', results[0])).stdout, '')
  await node.killAgent()
  await node.startAgent()
  for (let i = 0; i < 50 && (await check('net1', results[1])).exitCode !== 0; i++) await sleep(50)
  assert.equal((await check('net1', results[1])).stdout, '')
  assert.equal(node.ip('rule show', pod).length, 5, 'none is there twice')
  assertReached(addressesOf(results[1]))
})

test('a default route that somebody moved to the second interface stays there', async () => {
  const gateways: string[] = results[0].ips.map(({ gateway }: { gateway: string }) => gateway)
  for (const gateway of gateways) {
    node.ip(`route del default via ${gateway} dev eth0`, pod)
    node.ip(`route add default via ${gateway} dev net1`, pod)
  }
  assert.equal((await check('eth0', results[0])).stdout, '')
  await node.killAgent()
  await node.startAgent()
  await node.resynced()
  assert.deepEqual(defaults(), ['net1', 'net1'])
  assert.ok(addressesOf(results[2]).every((address) => place(pod).reaches(address).ok))
  for (const gateway of gateways) {
    node.ip(`route del default via ${gateway} dev net1`, pod)
    node.ip(`route add default via ${gateway} dev eth0`, pod)
  }
})

test('DEL of the second leaves no rule and the first whole; of the first, the second', async () => {
  assert.equal((await node.run('DEL', { netns: pod, ifName: 'net1' })).exitCode, 0)
  for (const family of ['-4', '-6']) {
    const rules: { priority: number }[] = node.ip(`${family} rule show`, pod)
    assert.deepEqual(
      rules.filter(({ priority }) => priority === 20_000),
      [],
    )
  }
  assertReached(addressesOf(results[0]))
  const { json } = await node.run('ADD', { netns: pod, ifName: 'net1' })
  assert.equal((await node.run('DEL', { netns: pod })).exitCode, 0)
  assertReached(addressesOf(json))
  assert.equal((await node.run('DEL', { netns: pod, ifName: 'net1' })).exitCode, 0)
})
