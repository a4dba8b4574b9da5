// Policy over maps in memory. A prober asks after every single write of every map: it must find
// the answers of before or those of after, all of them, and never a mixture.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Policy } from '../../../src/datapath/policy.ts'
import { entryKey } from '../../../src/datapath/policy-layout.ts'
import { type Address, parseAddress } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import { Table } from '../../../src/state/table.ts'
import {
  type CidrIdentity,
  IDENTITY,
  POLICY_CLOSED,
  type PolicyEntry,
  type PolicySet,
} from '../../../src/tables/policy.ts'
import { askMaps, askRows, type Connection } from '../../support/policy-answers.ts'
import { type Built, build, reconcile } from '../../support/policy-scene.ts'
import { below, fuzzSeed, pick, randomFrom } from '../../support/random.ts'

type Random = () => number

const PODS = ['10.0.1.5', '10.0.1.6', '10.0.2.7', 'fd00:1::5', 'fd00:1::6'].map(parseAddress)
const OTHERS = ['8.8.8.8', '10.9.1.1', '2001:db8::1'].map(parseAddress)
const PREFIXES = ['0.0.0.0/0', '8.8.0.0/16', '8.8.8.8/32', '::/0', '2001:db8::/32'].map(parsePrefix)
const PORTS = [80, 81, 8080]

const EVERY: Connection[] = [...PODS, ...OTHERS].flatMap((source) =>
  [...PODS, ...OTHERS]
    .filter((to) => to !== source && to.includes(':') === source.includes(':'))
    .flatMap((destination) =>
      PORTS.flatMap((port) => [6, 17].map((protocol) => ({ source, destination, protocol, port }))),
    ),
)

/** Some of them: they are asked after every write. */
const CONNECTIONS = EVERY.filter((_, at) => at % 7 === 0)

function randomEntry(random: Random, identities: readonly number[]): PolicyEntry {
  const protocol = pick(random, [0, 6, 6, 17])
  const portBits = protocol === 0 ? 0 : pick(random, [0, 15, 16, 16])
  const port = pick(random, PORTS) & (portBits === 0 ? 0 : 0xffff << (16 - portBits))
  return {
    identity: pick(random, identities),
    ...{ protocol, portBits, port },
    verdict: pick(random, ['allow', 'allow', 'deny']),
    ruleId: 1 + below(random, 5),
  }
}

/** Rows of every kind; numbers are few, so that they come again with other meanings. */
function randomRows({ tables }: Built, random: Random): void {
  const pods = [256, 257, 258, 259]
  const blocks = [1, 2, 3].map((at) => IDENTITY.firstCidr + at)
  const { any, pods4, pods6, world } = IDENTITY
  const all = [...pods, ...blocks, any, pods4, pods6, world]
  tables.addressIdentities.replaceAll(
    PODS.filter(() => below(random, 6) > 0).map((address) => ({
      address,
      identity: pick(random, pods),
    })),
  )
  tables.cidrIdentities.replaceAll(
    PREFIXES.filter(() => below(random, 2) > 0).map((prefix) => ({
      prefix,
      identity: pick(random, blocks),
    })),
  )
  const ids = [1, 2, 3, 4, 5].filter(() => below(random, 4) > 0)
  const directions = new Map<number, PolicySet['direction']>()
  tables.policySets.replaceAll(
    ids.map((id) => {
      const held = tables.policySets.get(String(id))
      const isKept = held && below(random, 3) > 0
      const direction = isKept ? held.direction : pick(random, ['ingress', 'egress'] as const)
      directions.set(id, direction)
      const old = isKept ? held.entries.filter(() => below(random, 8) > 0) : []
      const fresh = Array.from({ length: below(random, 4) }, () => randomEntry(random, all))
      const entries = new Map([...old, ...fresh].map((entry) => [entryKey(entry), entry]))
      return { id, direction, entries: [...entries.values()] }
    }),
  )
  const setFor = (direction: PolicySet['direction']): number =>
    pick(random, [0, POLICY_CLOSED, ...ids.filter((id) => directions.get(id) === direction)])
  tables.endpointPolicies.replaceAll(
    PODS.slice(0, 4)
      .filter(() => below(random, 5) > 0)
      .map((address) => ({
        address,
        endpoint: `${address}/eth0`,
        ingress: setFor('ingress'),
        egress: setFor('egress'),
        audit: below(random, 8) === 0,
      })),
  )
}

function answers(ask: (connection: Connection) => string): string {
  return CONNECTIONS.map(ask).join('\n')
}

/** Without the rules' numbers, which are given anew in place. */
function verdicts(text: string): string {
  return text.replaceAll(/ \d+/g, '')
}

test('every change comes into force at once, in whatever order tables are reconciled', async () => {
  const seed = fuzzSeed()
  const random = randomFrom(seed)
  const { maps, kernel, start } = build()
  let built = start()
  let before = answers((c) => askRows(built.tables, c))
  for (let round = 0; round < 40; round++) {
    if (below(random, 8) === 0) {
      // Killed and started again, with numbers given anew.
      await built.policy.settled()
      built.policy.stop()
      built = start()
    }
    randomRows(built, random)
    const after = answers((c) => askRows(built.tables, c))
    let probes = 0
    const probe = (): void => {
      const now = verdicts(answers((c) => askMaps(maps, kernel.generation, c)))
      assert.ok(
        now === verdicts(before) || now === verdicts(after),
        `SEED=${seed}: a mixture in round ${round}`,
      )
      probes++
    }
    for (const map of Object.values(maps)) map.onWrite = probe
    kernel.onFlip = probe
    assert.deepEqual(await reconcile(built, random), new Map())
    const now = answers((c) => askMaps(maps, kernel.generation, c))
    assert.equal(now, after, `SEED=${seed}: round ${round} after ${probes} probes`)
    before = after
  }
})

const [A, B, FAR] = PODS as [Address, Address, Address]
const ALLOW_256: PolicyEntry = {
  ...{ identity: 256, protocol: 6, port: 80, portBits: 16, verdict: 'allow', ruleId: 9 },
}
const FROM_B: Connection = { source: B, destination: A, protocol: 6, port: 80 }

function isolateA({ tables }: Built, entries: readonly PolicyEntry[], id = 1): void {
  tables.addressIdentities.replaceAll([
    { address: A, identity: 300 },
    { address: B, identity: 256 },
  ])
  tables.policySets.replaceAll([{ id, direction: 'ingress', entries }])
  tables.endpointPolicies.replaceAll([
    { address: A, endpoint: 'a/eth0', ingress: id, egress: 0, audit: false },
  ])
}

test('a set that does not fit is named, closes its pods, and is healed by a retry', async () => {
  const { maps, kernel, start } = build()
  const built = start()
  const random = randomFrom(1)
  const ask = (): string => askMaps(maps, kernel.generation, FROM_B)
  isolateA(built, [ALLOW_256])
  assert.deepEqual(await reconcile(built, random), new Map())
  assert.equal(ask(), 'not asked, allow 9')
  maps.rules.maxEntries = 3
  const many = [81, 82, 83, 84].map((port) => ({ ...ALLOW_256, port }))
  isolateA(built, [ALLOW_256, ...many], 2)
  const failures = await reconcile(built, random)
  assert.deepEqual(
    [...failures]
      .map(([key, { message }]) => `${key}: ${message}`)
      .sort()
      .reverse(),
    [
      'policySets 2: Cannot hold set 2 of 5 rules: Cannot update map policy: ' +
        'map is full (3 entries)',
      'endpointPolicies 10.0.1.5: Cannot let 10.0.1.5 talk: Cannot hold set 2 of 5 rules: ' +
        'Cannot update map policy: map is full (3 entries); it is closed',
    ],
  )
  assert.equal(ask(), 'not asked, deny 0')
  await built.policy.settled()
  assert.equal(maps.rules.size, 0, 'neither the old set nor a part of the new one is left')
  maps.rules.maxEntries = 100
  assert.deepEqual(await reconcile(built, random), new Map())
  assert.equal(ask(), 'not asked, allow 9')
})

test('a start with the same rows writes nothing and bumps nothing', async () => {
  const { maps, kernel, start } = build()
  const first = start()
  isolateA(first, [ALLOW_256])
  await reconcile(first, randomFrom(1))
  await first.policy.settled()
  first.policy.stop()
  const journals = Object.values(maps).map(({ journal }) => journal)
  for (const journal of journals) journal.length = 0
  const { epoch, generation } = kernel
  const second = start()
  isolateA(second, [ALLOW_256])
  assert.deepEqual(await reconcile(second, randomFrom(1)), new Map())
  await second.policy.endpointPolicies.prune?.([])
  assert.deepEqual([...journals.flat(), kernel.epoch, kernel.generation], [epoch, generation])
})

test('prune() repairs what somebody else changed', async () => {
  const { maps, kernel, start } = build()
  const built = start()
  isolateA(built, [ALLOW_256])
  await reconcile(built, randomFrom(1))
  await built.policy.settled()
  maps.rules.deleteMany([...maps.rules.keys()])
  maps.pods.deleteMany([...maps.pods.keys()])
  maps.identities.updateMany([[{ address: FAR }, { identity: [256, 7] }]])
  await built.policy.endpointPolicies.prune?.([])
  await built.policy.settled()
  assert.equal(askMaps(maps, kernel.generation, FROM_B), 'not asked, allow 9')
  assert.deepEqual(
    [...maps.identities.keys()].map(({ address }) => address),
    [A, B],
  )
})

test('pods that come and go elsewhere bump the epoch late, and once for many', async () => {
  const { kernel, start } = build()
  const { tables, policy } = start()
  for (const [at, address] of PODS.entries()) {
    tables.addressIdentities.upsert({ address, identity: 256 + at })
    await policy.addressIdentities.update([])
  }
  assert.equal(kernel.epoch, 0)
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(kernel.epoch, 1)
  tables.addressIdentities.upsert({ address: A, identity: 999 })
  await policy.addressIdentities.update([])
  assert.equal(kernel.epoch, 2, 'one that became another is no mere coming')
})

test('nothing is written before every table has had its first list', async () => {
  const { maps, start } = build()
  const tables = {
    ...start().tables,
    cidrIdentities: new Table<CidrIdentity>('x', (r) => r.prefix),
  }
  const policy = new Policy({
    ...{ tables, maps, generation: { read: () => 0, write: () => assert.fail('a flip') } },
    bumpEpoch: () => {},
  })
  tables.addressIdentities.upsert({ address: A, identity: 256 })
  await assert.rejects(policy.addressIdentities.update([]), /no first list yet/)
  assert.equal(maps.identities.size, 0)
})
