// Random sequences of changes: after each, the tables are what a rebuild from nothing gives, but
// for the numbers; and a set in force changes for nobody who was there. SEED=n runs one again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PolicyCompiler } from '../../../../src/control/policy/compiler.ts'
import { clusterNetworkPolicyRow } from '../../../../src/kube/cluster-policy-objects.ts'
import { networkPolicyRow } from '../../../../src/kube/policy-objects.ts'
import type { PolicyEntry } from '../../../../src/tables/policy.ts'
import { createTables, type Tables } from '../../../../src/tables/tables.ts'
import {
  endpointOf,
  fillTables,
  makeNamespace,
  markInputs,
  randomClusterPolicy,
  randomLabels,
  randomPod,
  randomPolicy,
  randomWorld,
  SELF,
} from '../../../support/policy-worlds.ts'
import { below, fuzzSeed, pick, randomFrom } from '../../../support/random.ts'

const SEQUENCES = 20
const CHANGES = 40

test('every change ends where a rebuild from nothing does', () => {
  const seed = fuzzSeed()
  for (let at = 0; at < SEQUENCES; at++) runSequence((seed + at) >>> 0)
})

function runSequence(seed: number): void {
  const random = randomFrom(seed)
  const settings = { implicitNamespaces: false, budget: 1e9, many: pick(random, [1, 3, 32]) }
  const tables = createTables()
  fillTables(tables, randomWorld(random))
  markInputs(tables)
  const compiler = new PolicyCompiler(tables, settings)
  compiler.start()
  compiler.run()
  for (let n = 0; n < CHANGES; n++) {
    const before = snapshot(tables)
    const changes = 1 + below(random, 3)
    for (let each = 0; each < changes; each++) change(tables, random)
    compiler.run()
    const where = `SEED=${seed}, change ${n}`
    assert.deepEqual(readable(tables), readable(rebuilt(tables, settings)), where)
    assertKept(before, snapshot(tables), where)
  }
  compiler.stop()
}

function change(tables: Tables, random: () => number): void {
  const at = below(random, 12)
  const sort = below(random, 8)
  const name = `np-${below(random, 6)}`
  if (sort === 0) {
    const { row } = networkPolicyRow(randomPolicy(random, name))
    if (row) tables.networkPolicies.upsert(row)
  } else if (sort === 1) {
    const keys = [...tables.networkPolicies.entries()].map(({ key }) => key)
    if (keys.length > 0) tables.networkPolicies.delete(pick(random, keys))
  } else if (sort === 2) {
    const { row } = clusterNetworkPolicyRow(randomClusterPolicy(random, `cnp-${at % 3}`))
    if (row) tables.clusterNetworkPolicies.upsert(row)
  } else if (sort === 3) tables.clusterNetworkPolicies.delete(`cnp-${at % 3}`)
  else if (sort === 4) {
    const namespace = pick(random, ['shop', 'db', 'ops'])
    if (random() < 0.2) tables.namespaces.delete(namespace)
    else tables.namespaces.upsert(makeNamespace(namespace, randomLabels(random)))
  } else changePod(tables, random, at)
}

/** The endpoint and the row come and go in either order, or only one of them. */
function changePod(tables: Tables, random: () => number, at: number): void {
  const old = [...tables.pods.rows()].find(({ name }) => name === `pod-${at}`)
  const pod =
    old && random() < 0.5 ? { ...old, labels: randomLabels(random) } : randomPod(random, at)
  if (old && (random() < 0.3 || old.namespace !== pod.namespace)) {
    tables.pods.delete(`${old.namespace}/${old.name}`)
    if (random() < 0.7) tables.endpoints.delete(`${old.namespace}-${old.name}/eth0`)
    return
  }
  const isLocal = pod.nodeName === SELF && !pod.hostNetwork
  if (isLocal && random() < 0.9) {
    // CNI never gives an address twice.
    for (const { key, row } of [...tables.endpoints.entries()]) {
      if (row.addresses.some((each) => pod.addresses.includes(each))) tables.endpoints.delete(key)
    }
    tables.endpoints.upsert(endpointOf(pod))
  }
  if (random() < 0.9) tables.pods.upsert(random() < 0.8 ? pod : { ...pod, addresses: [] })
}

function rebuilt(
  { nodes, namespaces, pods, networkPolicies, clusterNetworkPolicies, endpoints }: Tables,
  settings: ConstructorParameters<typeof PolicyCompiler>[1],
): Tables {
  const tables = createTables()
  for (const row of nodes.rows()) tables.nodes.upsert(row)
  for (const row of namespaces.rows()) tables.namespaces.upsert(row)
  for (const row of pods.rows()) tables.pods.upsert(row)
  for (const row of networkPolicies.rows()) tables.networkPolicies.upsert(row)
  for (const row of clusterNetworkPolicies.rows()) tables.clusterNetworkPolicies.upsert(row)
  for (const row of endpoints.rows()) tables.endpoints.upsert(row)
  markInputs(tables)
  const compiler = new PolicyCompiler(tables, settings)
  compiler.start()
  compiler.run()
  compiler.stop()
  return tables
}

/** Everything by what it means: identities by their addresses, rules by their words. */
function readable(tables: Tables): object {
  const holders = new Map<number, string[]>()
  for (const { address, identity } of tables.addressIdentities.rows()) {
    holders.set(identity, [...(holders.get(identity) ?? []), address].sort())
  }
  for (const { prefix, identity } of tables.cidrIdentities.rows()) holders.set(identity, [prefix])
  const nameOf = (identity: number) => holders.get(identity)?.join(' ') ?? String(identity)
  const texts = new Map([...tables.policyRules.rows()].map(({ id, text }) => [id, text]))
  const entries = (id: number) => {
    const set = tables.policySets.get(String(id))
    if (!set) return id === 0 ? 'open' : 'closed'
    return set.entries
      .map(({ identity, protocol, port, portBits, verdict, ruleId }) =>
        [nameOf(identity), protocol, port, portBits, verdict, texts.get(ruleId) ?? ''].join(', '),
      )
      .sort()
  }
  return {
    identities: [...holders].map(([, addresses]) => addresses.join(' ')).sort(),
    rules: [...texts.values()].sort(),
    sets: tables.policySets.size,
    endpoints: [...tables.endpointPolicies.rows()]
      .map(({ ingress, egress, ...row }) => ({
        ...{ ...row, ingress: entries(ingress), egress: entries(egress) },
      }))
      .sort((a, b) => (a.address < b.address ? -1 : 1)),
  }
}

interface Snapshot {
  readonly sets: ReadonlyMap<number, readonly PolicyEntry[]>
  readonly identities: ReadonlySet<number>
}

function snapshot({ policySets, addressIdentities, cidrIdentities }: Tables): Snapshot {
  return {
    sets: new Map([...policySets.rows()].map(({ id, entries }) => [id, entries])),
    identities: new Set([
      ...[0, 1, 2, 3, 4, 5, 6],
      ...[...addressIdentities.rows()].map(({ identity }) => identity),
      ...[...cidrIdentities.rows()].map(({ identity }) => identity),
    ]),
  }
}

function assertKept(before: Snapshot, after: Snapshot, where: string): void {
  for (const [id, entries] of after.sets) {
    const old = before.sets.get(id)
    if (!old) continue
    const ofKept = ({ identity }: PolicyEntry) =>
      before.identities.has(identity) && after.identities.has(identity)
    assert.deepEqual(entries.filter(ofKept), old.filter(ofKept), `${where}: set ${id} changed`)
    for (const { identity } of entries) assert.ok(after.identities.has(identity), where)
  }
}
