// What people see of policies and identities, from rows that were compiled.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointViews } from '../../../src/api/endpoint-view.ts'
import { identityViews } from '../../../src/api/identity-view.ts'
import { PolicyDrift } from '../../../src/api/policy-drift.ts'
import { policyViews } from '../../../src/api/policy-view.ts'
import { PolicyCompiler } from '../../../src/control/policy/compiler.ts'
import { clusterNetworkPolicyRow } from '../../../src/kube/cluster-policy-objects.ts'
import { networkPolicyRow } from '../../../src/kube/policy-objects.ts'
import type { Address } from '../../../src/net/address.ts'
import type { ActualPodPolicy, ActualPodRules } from '../../../src/tables/actual.ts'
import {
  IDENTITY,
  POLICY_CLOSED,
  POLICY_OPEN,
  type PolicyEntry,
} from '../../../src/tables/policy.ts'
import { createTables, type Tables } from '../../../src/tables/tables.ts'
import { endpointOf, makeNamespace, makePod, markInputs } from '../../support/policy-worlds.ts'

const WEB = makePod({ name: 'web', labels: { app: 'web' }, addresses: ['10.0.1.2' as Address] })
const DB = makePod({
  ...{ namespace: 'db', name: 'db', nodeName: 'node-2', labels: { app: 'db' } },
  addresses: ['10.0.2.2' as Address],
})
const FROM = [
  { namespaceSelector: {}, podSelector: { matchLabels: { app: 'db' } } },
  { ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.128/25'] } },
]
const SPEC = {
  podSelector: { matchLabels: { app: 'web' } },
  ingress: [{ from: FROM, ports: [{ port: 80 }, { port: 32000, endPort: 32255 }] }],
}

function compiled({ budget = 100, knows = true } = {}) {
  const tables = createTables()
  tables.namespaces.upsert(makeNamespace('shop'))
  tables.namespaces.upsert(makeNamespace('db'))
  if (knows) tables.pods.upsert(WEB)
  tables.pods.upsert(DB)
  tables.endpoints.upsert(endpointOf(WEB))
  const objects = [
    { metadata: { name: 'front', namespace: 'shop' }, spec: SPEC },
    {
      metadata: { name: 'other', namespace: 'db' },
      spec: { podSelector: {}, egress: [{ to: 3 }] },
    },
  ]
  for (const object of objects) {
    const { row } = networkPolicyRow(object as never)
    if (row) tables.networkPolicies.upsert(row)
  }
  const spec = { tier: 'Admin', priority: 7, subject: { namespaces: {} } }
  const { row } = clusterNetworkPolicyRow({ metadata: { name: 'none' }, spec })
  if (row) tables.clusterNetworkPolicies.upsert(row)
  markInputs(tables)
  const compiler = new PolicyCompiler(tables, { implicitNamespaces: false, budget })
  compiler.start()
  compiler.run()
  compiler.stop()
  return tables
}

/** The kernel as it should be. */
function kernelOf({ endpointPolicies, policySets }: Tables): Map<string, ActualPodPolicy> {
  const rules = (id: number): ActualPodRules => {
    if (id === POLICY_OPEN) return 'open'
    return id === POLICY_CLOSED ? 'closed' : (policySets.get(String(id))?.entries ?? [])
  }
  return new Map(
    [...endpointPolicies.rows()].map(({ address, ingress, egress, audit }) => [
      address,
      { ingress: rules(ingress), egress: rules(egress), audit },
    ]),
  )
}

const driftOf = (tables: Tables) => new PolicyDrift(tables, kernelOf(tables))

test('policyViews() tells whom a policy selects, what its rules say, and what they decide', () => {
  const tables = compiled()
  const views = policyViews(tables, driftOf(tables))
  assert.deepEqual(
    views.map(({ name, tier, directions, selects, state, drift }) => [
      ...[name, tier, directions.join(), selects.join(), state, drift],
    ]),
    [
      ['none', 'Admin 7', '', 'shop/web', 'pending', 'ok'],
      ['db/other', 'NetworkPolicy', 'ingress,egress', '', 'none', 'ok'],
      ['shop/front', 'NetworkPolicy', 'ingress', 'shop/web', 'pending', 'ok'],
    ],
  )
  assert.match(views[1]?.problems[0] ?? '', /spec.egress\[0\].to is 3; give a list/)
  assert.deepEqual(views[2]?.rules, [
    {
      ...{ rule: 'ingress rule 1', action: 'Accept' },
      peers: ['pods (app=db) of namespaces (all)', '192.0.2.0/24 but 192.0.2.128/25'],
      ports: ['TCP 80', 'TCP 32000-32255'],
      entries: [
        'db/db: TCP 80',
        'db/db: TCP 32000-32255',
        '192.0.2.0/24: TCP 80',
        '192.0.2.0/24: TCP 32000-32255',
      ],
    },
  ])
  assert.equal(views[2]?.entries, 5)
})

test('policyViews() names the condition that closes what a policy selects', () => {
  const tables = compiled({ budget: 3 })
  const views = policyViews(tables, driftOf(tables))
  const view = views.find(({ name }) => name === 'shop/front')
  assert.equal(view?.state, 'closed')
  assert.match(view?.problems[0] ?? '', /^PolicyTooLarge: shop\/web is closed: its ingress/)
})

test('endpointViews() shows isolation', () => {
  const isolated = (options: Parameters<typeof compiled>[0]) => {
    const tables = compiled(options)
    return endpointViews(tables, [], driftOf(tables))[0]?.isolated
  }
  assert.equal(isolated({}), 'ingress')
  assert.equal(isolated({ knows: false }), 'closed: PodUnknown')
})

test('identityViews() gives pods and prefixes with their numbers', () => {
  const tables = compiled()
  const [web = 0, db = 0] = [...tables.addressIdentities.rows()].map(({ identity }) => identity)
  const [block = 0] = [...tables.cidrIdentities.rows()].map(({ identity }) => identity)
  const addresses = new Map([
    ...[['10.0.1.2', web] as const, ['10.0.2.2', db + 1] as const, ['10.0.2.9', 999] as const],
  ])
  const views = identityViews(tables, { addresses, prefixes: new Map([['192.0.2.0/24', block]]) })
  assert.deepEqual(
    views.map(({ kind, namespace, labels, pods, addresses: all, drift }) => [
      ...[kind, namespace, labels['app'] ?? '', pods.join(), all.join(), drift],
    ]),
    [
      ['pods', 'shop', 'web', 'shop/web', '10.0.1.2', 'ok'],
      ['pods', 'db', 'db', 'db/db', '10.0.2.2', 'stale'],
      ['pods', '', '', '', '10.0.2.9', 'extra'],
      ['prefix', '', '', '', '192.0.2.0/24', 'ok'],
      ['prefix', '', '', '', '192.0.2.128/25', 'missing'],
    ],
  )
  assert.deepEqual(
    views.flatMap(({ differences }) => differences),
    [
      `10.0.2.2 is identity ${db + 1}, not ${db}`,
      '10.0.2.9 is in map identities and nobody asked for it',
      '192.0.2.128/25 is not in map cidr_identities',
    ],
  )
})

test('PolicyDrift names each entry that differs, with its peer and rule', () => {
  const tables = compiled()
  const right = kernelOf(tables).get('10.0.1.2')
  assert.ok(right && typeof right.ingress !== 'string')
  const entries = right.ingress
  const differences = (actual: Partial<ActualPodPolicy>): readonly string[] =>
    new PolicyDrift(tables, new Map([['10.0.1.2', { ...right, ...actual }]])).of('10.0.1.2')
  assert.deepEqual(differences({}), [])
  const is = (port: number, bits: number) => (entry: PolicyEntry) =>
    entry.port === port && entry.portBits === bits && entry.identity < IDENTITY.firstCidr
  const rule = 'NetworkPolicy shop/front, ingress rule 1, port'
  const web = entries.find(is(80, 16))
  assert.ok(web)
  const flipped = entries.map((entry) =>
    entry === web ? { ...entry, verdict: 'deny' as const } : entry,
  )
  assert.deepEqual(differences({ ingress: flipped }), [
    `10.0.1.2: ingress has "db/db: TCP 80 denied" (${rule} 1), not "db/db: TCP 80" (${rule} 1)`,
  ])
  assert.deepEqual(differences({ ingress: entries.filter((entry) => entry !== web) }), [
    `10.0.1.2: ingress lacks "db/db: TCP 80" (${rule} 1)`,
  ])
  const more = { ...web, identity: IDENTITY.any, protocol: 0, port: 0, portBits: 0, ruleId: 77 }
  assert.deepEqual(
    differences({ ingress: [...entries.filter(({ identity }) => identity), more] }),
    [
      '10.0.1.2: ingress has "everybody: all" (rule 77), not "everybody: all denied" ' +
        '(no ingress rule of NetworkPolicy shop/front allows it)',
    ],
  )
  assert.deepEqual(differences({ ingress: [...entries, { ...web, port: 81 }] }), [
    `10.0.1.2: ingress has "db/db: TCP 81" (${rule} 1), which nobody asked for`,
  ])
  assert.deepEqual(differences({ ingress: 'open', egress: 'closed', audit: true }), [
    '10.0.1.2 is only watched, not enforced',
    '10.0.1.2: ingress is open, not isolated',
    '10.0.1.2: egress is closed, not open',
  ])
  const gone = new PolicyDrift(tables, new Map([['10.0.1.99', right]]))
  assert.deepEqual(gone.of('10.0.1.2'), [
    '10.0.1.2 is not in map pod_policies, so nothing isolates it',
  ])
  assert.deepEqual(
    endpointViews(tables, [], gone).map(({ addresses, drift }) => [addresses.join(), drift]),
    [
      ['10.0.1.99', 'extra'],
      ['10.0.1.2', 'missing'],
    ],
  )
})
