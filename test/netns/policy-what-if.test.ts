// `weir policy what-if` and `explain` against a node at work: what is foretold of real connections
// is what becomes of them.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { addressFamily, parseAddress } from '../../src/net/address.ts'
import { weir } from '../unit/cli/run-weir.ts'
import type { TestPod } from './place.ts'
import { Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

const scene = new Scene()
const FILE = join(scene.directory, 'policy.json')
let node: TestNode
let web: TestPod
let friend: TestPod
let stranger: TestPod

before(async () => {
  node = new TestNode(scene, 1)
  node.know(node)
  for (const name of ['web', 'friend', 'stranger']) node.knowPod(name)
  await node.start()
  web = await node.addPod('web')
  friend = await node.addPod('friend')
  stranger = await node.addPod('stranger')
  await web.serve('web')
})
after(() => scene.dispose())

/** These roles may enter the web pods, and nobody else. */
function admitting(...roles: readonly string[]): object {
  return {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    metadata: { namespace: 'default', name: 'web' },
    spec: {
      podSelector: { matchLabels: { role: 'web' } },
      ingress: roles.map((role) => ({ from: [{ podSelector: { matchLabels: { role } } }] })),
    },
  }
}

const target = () => ['--socket', node.socketPath, '--bpf-root', node.bpfRoot]

async function ask(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await weir([...args, ...target()])
  assert.deepEqual([code, stderr], [0, ''], stdout)
  return stdout
}

interface Foretold {
  readonly becomes: string
  readonly source: string
  readonly destination: string
  readonly protocol: number
  readonly port: number
  readonly rule?: string
  readonly live: number
  readonly denied: number
}

async function foretell(...args: readonly string[]): Promise<Foretold[]> {
  return JSON.parse(await ask('policy', 'what-if', ...args, '--json')) as Foretold[]
}

/** "denied UDP > fd00:1::2", sorted: what becomes of whom, all from one pod to the web pod. */
function changesFrom(pod: TestPod, foretold: readonly Foretold[]): string[] {
  for (const { source } of foretold) assert.ok(pod.addresses.includes(source), source)
  const protocols: Record<number, string> = { 1: 'ping', 58: 'ping', 6: 'TCP 80', 17: 'UDP 53' }
  return foretold
    .map(({ becomes, protocol, destination }) => `${becomes} ${protocols[protocol]} ${destination}`)
    .sort()
}

function everything(becomes: string): string[] {
  return web.addresses
    .flatMap((address) =>
      ['ping', 'TCP 80', 'UDP 53'].map((each) => `${becomes} ${each} ${address}`),
    )
    .sort()
}

/** Makes it so, and waits until it is in force. */
async function enforce(policy: object, mayEnter: boolean): Promise<void> {
  node.write('policy.json', policy)
  for (let tries = 0; stranger.ask(web.addresses[0] ?? '').ok !== mayEnter; tries++) {
    assert.ok(tries < 20, node.log)
    await sleep(100)
  }
}

/** What the programs say now about what was foretold: the same verdict, by the same rule. */
async function assertExplained({ becomes, ...foretold }: Foretold): Promise<void> {
  const { source, destination, protocol, port, rule } = foretold
  const asked =
    protocol === 6 || protocol === 17 ? [`${port}/${protocol === 6 ? 'tcp' : 'udp'}`] : []
  const said = await ask('policy', 'explain', source, destination, ...asked)
  assert.match(said.split('\n')[0] ?? '', new RegExp(`: ${becomes}$`))
  assert.ok(rule && said.includes(rule), said)
}

/** Pings and asks by TCP and UDP at every address, whatever becomes of the others. */
function answers(pod: TestPod): boolean[] {
  return web.addresses.flatMap((address) => [
    pod.reaches(address, 'ping').ok,
    pod.ask(address).ok,
    pod.askPort(address, 53, '--udp').ok,
  ])
}

test('what would be denied is told of live and of ended connections, and comes so', async () => {
  const [v4 = '', v6 = ''] = web.addresses
  assert.deepEqual([addressFamily(parseAddress(v4)), addressFamily(parseAddress(v6))], [4, 6])
  for (const pod of [friend, stranger]) assert.ok(answers(pod).every(Boolean))
  const streams = [stranger.stream('tcp', v6, '80'), stranger.stream('udp', v4, '53')]
  await sleep(500)
  writeFileSync(FILE, JSON.stringify(admitting('friend')))
  const foretold = await foretell('-f', FILE)
  assert.deepEqual(changesFrom(stranger, foretold), everything('denied'))
  const live = foretold.filter(({ live: count }) => count > 0)
  for (const [protocol, address] of [[6, v6] as const, [17, v4] as const]) {
    assert.ok(live.some((each) => each.protocol === protocol && each.destination === address))
  }
  await enforce(admitting('friend'), false)
  for (const each of foretold) await assertExplained(each)
  await sleep(500)
  for (const stop of streams) assert.ok((await stop()).lost > 0)
  assert.ok(answers(friend).every(Boolean))
  assert.deepEqual(await foretell('-f', FILE), [], 'what is in force changes nothing')
})

test('what is denied is remembered, told when it would be allowed, and comes so', async () => {
  assert.ok(!answers(stranger).some(Boolean))
  assert.deepEqual(changesFrom(stranger, await foretell('--delete', 'default/web')), [
    ...everything('allowed'),
  ])
  writeFileSync(FILE, JSON.stringify(admitting('friend', 'stranger')))
  const foretold = await foretell('-f', FILE)
  assert.deepEqual(changesFrom(stranger, foretold), everything('allowed'))
  for (const { denied } of foretold) assert.ok(denied > 0)
  await node.kill('SIGKILL')
  await node.start()
  assert.deepEqual(changesFrom(stranger, await foretell('-f', FILE)), everything('allowed'))
  await enforce(admitting('friend', 'stranger'), true)
  for (const each of foretold) await assertExplained(each)
  assert.ok(answers(stranger).every(Boolean))
})

test('what was denied longer ago than is asked for is not told', async () => {
  await enforce(admitting('friend'), false)
  await sleep(3000)
  const recent = await foretell('--delete', 'default/web', '--last', '2s')
  const denied = recent.filter(({ live }) => live === 0)
  assert.deepEqual(denied, [])
  assert.notDeepEqual(await foretell('--delete', 'default/web', '--last', '1m'), [])
})

test('people read who is meant', async () => {
  const said = await ask('policy', 'what-if', '--delete', 'default/web')
  const [source] = stranger.addresses
  const ends = `default/stranger \\(${source}\\) +default/web \\(${web.addresses[0]}:80\\)`
  const seen = 'denied \\d+ times, \\d+ s ago'
  assert.match(said, new RegExp(`allowed +TCP +${ends} .*${seen}.* nothing isolates it`))
})

test('monitor --verdicts names the rules that let in and that do not', async () => {
  const [v4 = ''] = web.addresses
  await enforce(admitting('friend'), false)
  const cases = [
    ['allow', friend, 'ingress allow: NetworkPolicy default/web, ingress rule 1'],
    ['policy_ingress', stranger, 'ingress deny: no ingress rule of NetworkPolicy default/web'],
  ] as const
  const watches = cases.map(([, , why]) =>
    weir(['monitor', '--verdicts', '--to', v4, ...target()], { stopAt: why }),
  )
  let areSeen = false
  const seen = Promise.all(watches).then(() => {
    areSeen = true
  })
  // The streams have no sign of being open, so ask again until they show.
  for (let tries = 0; !areSeen && tries < 15; tries++) {
    assert.ok(friend.ask(v4).ok)
    assert.equal(stranger.ask(v4).ok, false)
    await Promise.race([seen, sleep(200)])
  }
  for (const [at, [verdict, pod, why]] of cases.entries()) {
    const packet = `from_pod ifindex \\d+ TCP ${pod.addresses[0]}:\\d+ > ${v4}:80`
    assert.match((await watches[at])?.stdout ?? '', new RegExp(`${verdict} ${packet}.*, ${why}`))
  }
})
