// Policy on one node with the real agent and real sockets: who is let in, what a change does to
// connections that stand, and that neither a killed agent nor a new pod opens a hole.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MapLayout } from '../../src/datapath/codec.ts'
import { KernelMap } from '../../src/datapath/entry-map.ts'
import * as layout from '../../src/datapath/layout.gen.ts'
import { explainPolicy } from '../../src/datapath/policy-explain.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { BpfMap } from '../../src/libbpf/map.ts'
import { parseAddress } from '../../src/net/address.ts'
import type { DatapathEvent } from '../../src/tables/actual.ts'
import { Place, type TestPod } from './place.ts'
import { Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

const scene = new Scene()
let node: TestNode
let web: TestPod
let friend: TestPod
let stranger: TestPod

const ROLES = { web: 'web', friend: 'friend', stranger: 'stranger', late: 'web' } as const

before(async () => {
  node = new TestNode(scene, 1)
  node.know(node)
  node.write('default.json', namespace({}))
  for (const [name, role] of Object.entries(ROLES)) node.knowPod(name, role)
  await node.start('--resync-seconds', '5')
  web = await node.addPod('web')
  friend = await node.addPod('friend')
  stranger = await node.addPod('stranger')
  await web.serve('web')
})
after(() => scene.dispose())

function namespace(metadata: { annotations?: object; labels?: object }) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', ...metadata } }
}

/** A policy of the web pods: these peers may come, to TCP 80 and to UDP 53, and ping. */
function policy(name: string, peers: readonly object[]): void {
  node.write(`policy-${name}.json`, {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    metadata: { namespace: 'default', name },
    spec: {
      podSelector: { matchLabels: { role: 'web' } },
      ingress: peers.map((peer) => ({ from: [peer] })),
    },
  })
}

const podsOf = (role: string) => ({ podSelector: { matchLabels: { role } } })

function admit(...roles: readonly string[]): void {
  policy('web', roles.map(podsOf))
}

/** Waits until a TCP question is answered, or is not. */
async function until(from: TestPod, wanted: boolean): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    if (from.ask(web.addresses[0] ?? '').ok === wanted) return
    await sleep(100)
  }
  assert.fail(`${from.id} ${wanted ? 'does not reach' : 'still reaches'} web:\n${node.log}`)
}

test('a policy lets in whom it names, over every address and protocol, and the node', async () => {
  admit('friend')
  await until(stranger, false)
  for (const address of web.addresses) {
    const { ok, detail } = friend.reaches(address)
    assert.ok(ok, detail)
    for (const kind of ['ping', 'ask']) assert.equal(stranger.reaches(address, kind).ok, false)
    assert.ok(new Place(scene, node.netns).reaches(address).ok, 'the node itself')
    assert.ok(web.reaches(address).ok, 'the pod itself')
  }
})

test('drops and explain name the rule', async () => {
  const events = node.watch()
  await sleep(200)
  const [to = ''] = web.addresses
  assert.equal(stranger.ask(to).ok, false)
  const isOurs = ({ reason }: DatapathEvent): boolean => reason === 'policy_ingress'
  for (let tries = 0; tries < 30 && !events().some(isOurs); tries++) await sleep(100)
  const drop = events().find(isOurs)
  assert.equal(drop?.policy?.direction, 'ingress', JSON.stringify(events()))
  const inspected = { library: openLibrary(), bpfRoot: node.bpfRoot }
  const destination = parseAddress(to)
  const ask = { destination, protocol: 6, port: 80 }
  const [allowed, denied] = explainPolicy(
    inspected,
    [friend, stranger].map((pod) => ({ ...ask, source: parseAddress(pod.addresses[0] ?? '') })),
  )
  assert.deepEqual([allowed?.allowed, denied?.allowed], [true, false])
  const rules = (await node.get('/v1/tables/policyRules')) as {
    row: { id: number; text: string }
  }[]
  const rule = rules.find(({ row }) => row.id === allowed?.ingress.ruleId)?.row.text
  assert.match(rule ?? '', /default\/web/)
})

test('a change ends a connection that is denied now, and spares one still allowed', async () => {
  const [v4 = '', v6 = ''] = web.addresses
  admit('friend', 'stranger')
  await until(stranger, true)
  const [kept, ended] = [friend.stream('tcp', v6, '80'), stranger.stream('udp', v4, '53')]
  await sleep(500)
  admit('friend')
  await until(stranger, false)
  await sleep(500)
  const left = await ended()
  assert.ok(left.received > 50 && left.lost > 50, JSON.stringify(left))
  const { sent, lost } = await kept()
  assert.ok(sent > 300 && lost === 0, JSON.stringify({ sent, lost }))
})

test('through changes, who may always come loses nothing, who never may gets nothing', async () => {
  const [v4 = '', v6 = ''] = web.addresses
  const kept = friend.stream('udp', v6, '53')
  const shut = [v4, v6].map((address) => stranger.stream('udp', address, '53'))
  const [ours, nobody] = [podsOf('friend'), podsOf('nobody')]
  const changes = [
    () => policy('more', [nobody]),
    () => policy('more', [nobody, ours]),
    () => policy('web', []),
    () => node.remove('policy-web.json'),
    () => policy('web', [nobody, ours]),
    () => policy('more', []),
    () => node.remove('policy-more.json'),
    () => policy('web', [ours]),
  ]
  const asked: boolean[] = []
  for (const change of changes) {
    change()
    // Through the change and past it: a directory is looked at some time after it was written.
    for (let at = 0; at < 20; at++) {
      asked.push(friend.ask(v4).ok)
      await sleep(10)
    }
  }
  const { sent, lost } = await kept()
  const refused = asked.filter((ok) => !ok).length
  assert.deepEqual({ lost, refused, sent: sent > 100 }, { lost: 0, refused: 0, sent: true })
  for (const stop of shut) {
    const stranded = await stop()
    assert.ok(stranded.sent > 100 && stranded.received === 0, JSON.stringify(stranded))
  }
})

test('who is labelled anew is let in, and out again, also as a namespace', async () => {
  const [, v6 = ''] = web.addresses
  const expectEnd = async (enter: () => void, leave: () => void): Promise<void> => {
    enter()
    await until(stranger, true)
    const stream = stranger.stream('udp', v6, '53')
    await sleep(500)
    leave()
    await until(stranger, false)
    await sleep(500)
    const { received, lost } = await stream()
    assert.ok(received > 50 && lost > 50, JSON.stringify({ received, lost }))
  }
  await expectEnd(
    () => node.knowPod('stranger', 'friend'),
    () => node.knowPod('stranger'),
  )
  await expectEnd(
    () => node.knowPod('web', 'open'),
    () => node.knowPod('web'),
  )
  policy('web', [podsOf('friend'), { namespaceSelector: { matchLabels: { team: 'a' } } }])
  await expectEnd(
    () => node.write('default.json', namespace({ labels: { team: 'a' } })),
    () => node.write('default.json', namespace({ labels: { team: 'b' } })),
  )
  admit('friend')
})

/** One map of policy, written behind the agent's back. */
function corrupt<K, V>(layout: MapLayout<K, V>, change: (map: KernelMap<K, V>) => void): void {
  const map = BpfMap.openPinned(openLibrary(), join(node.bpfRoot, 'maps', layout.name))
  try {
    change(new KernelMap(map, layout))
  } finally {
    map.close()
  }
}

test('an entry that somebody else wrote is named, and mended', async () => {
  const { ALLOW } = layout.PolicyVerdict
  const differences = async (view: 'endpoints' | 'policies' | 'identities') => {
    const views = (await node.get(`/v1/${view}`)) as { drift: string; differences: string[] }[]
    return views.flatMap((each) => (each.drift === 'ok' ? [] : each.differences)).join('\n')
  }
  const open = (rules: KernelMap<layout.PolicyKey, layout.PolicyRule>): void => {
    const entries = [...rules.entries()]
    rules.updateMany(entries.map(([key, rule]) => [key, { ...rule, verdict: ALLOW }]))
  }
  const cases = [
    {
      view: 'endpoints',
      harm: () => corrupt(layout.maps.policy, open),
      says: /: ingress has "everybody: all" .*, not "everybody: all denied" \(no ingress rule of/,
    },
    {
      view: 'policies',
      harm: () => corrupt(layout.maps.podPolicies, (pods) => pods.deleteMany([...pods.keys()])),
      says: new RegExp(`${web.addresses[0]} is not in map pod_policies, so nothing isolates it`),
    },
    {
      view: 'identities',
      harm: () => corrupt(layout.maps.identities, (all) => all.deleteMany([...all.keys()])),
      says: new RegExp(`${friend.addresses[1]} is not in map identities`),
    },
  ] as const
  for (const { view, harm, says } of cases) {
    assert.equal(await differences(view), '')
    // What is mended before it is looked at is harmed once more.
    for (let tries = 0; tries < 3; tries++) {
      harm()
      if (says.test(await differences(view))) break
      assert.ok(tries < 2, await differences(view))
    }
    for (let tries = 0; (await differences(view)) !== ''; tries++) {
      assert.ok(tries < 40, await differences(view))
      await sleep(500)
    }
    assert.equal(stranger.ask(web.addresses[0] ?? '').ok, false)
    assert.ok(friend.ask(web.addresses[1] ?? '').ok)
  }
})

test('policy stays in force while the agent is killed and started again', async () => {
  const [address = ''] = web.addresses
  await node.kill('SIGKILL')
  assert.equal(stranger.ask(address).ok, false)
  assert.ok(friend.ask(address).ok)
  node.spawn()
  let probes = 0
  for (const isReady = node.ready().then(() => 'ready'); ; probes++) {
    assert.equal(stranger.ask(address).ok, false, `probe ${probes}`)
    assert.ok(friend.ask(address).ok, `probe ${probes}`)
    if ((await Promise.race([isReady, sleep(10)])) === 'ready') break
  }
  await sleep(500)
  assert.equal(stranger.ask(address).ok, false)
  assert.ok(friend.ask(address).ok)
})

test('a new pod is isolated from its first packet', async () => {
  const late = await node.addPod('late')
  await late.serve('late')
  for (const address of late.addresses) {
    assert.equal(stranger.reaches(address, 'ask').ok, false)
    assert.ok(friend.reaches(address).ok)
  }
})

test('a namespace that is only watched reports and drops nothing', async () => {
  node.write('default.json', namespace({ annotations: { 'weir.io/policy-audit': 'true' } }))
  await until(stranger, true)
  const events = node.watch()
  await sleep(200)
  assert.ok(stranger.ask(web.addresses[0] ?? '').ok)
  await sleep(200)
  assert.ok(events().some(({ kind, policy }) => kind === 'verdict' && policy?.verdict === 'audit'))
  node.write('default.json', namespace({}))
  await until(stranger, false)
})
