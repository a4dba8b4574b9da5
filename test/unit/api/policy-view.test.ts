// What people see of policies and identities, from rows that were compiled.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointViews } from '../../../src/api/endpoint-view.ts'
import { identityViews } from '../../../src/api/identity-view.ts'
import { policyViews } from '../../../src/api/policy-view.ts'
import { PolicyCompiler } from '../../../src/control/policy/compiler.ts'
import { clusterNetworkPolicyRow } from '../../../src/kube/cluster-policy-objects.ts'
import { networkPolicyRow } from '../../../src/kube/policy-objects.ts'
import type { Address } from '../../../src/net/address.ts'
import { createTables } from '../../../src/tables/tables.ts'
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

test('policyViews() tells whom a policy selects, what its rules say, and what they decide', () => {
  const views = policyViews(compiled())
  assert.deepEqual(
    views.map(({ name, tier, directions, selects, state }) => [
      ...[name, tier, directions.join(), selects.join(), state],
    ]),
    [
      ['none', 'Admin 7', '', 'shop/web', 'pending'],
      ['db/other', 'NetworkPolicy', 'ingress,egress', '', 'none'],
      ['shop/front', 'NetworkPolicy', 'ingress', 'shop/web', 'pending'],
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
  const view = policyViews(compiled({ budget: 3 })).find(({ name }) => name === 'shop/front')
  assert.equal(view?.state, 'closed')
  assert.match(view?.problems[0] ?? '', /^PolicyTooLarge: shop\/web is closed: its ingress/)
})

test('endpointViews() shows isolation', () => {
  const isolated = (options: Parameters<typeof compiled>[0]) => {
    const { endpoints, endpointPolicies } = compiled(options)
    const policyOf = (address: string) => endpointPolicies.get(address)
    return endpointViews(endpoints.entries(), [], policyOf)[0]?.isolated
  }
  assert.equal(isolated({}), 'ingress')
  assert.equal(isolated({ knows: false }), 'closed: PodUnknown')
})

test('identityViews() gives pods and prefixes with their numbers', () => {
  const views = identityViews(compiled())
  assert.deepEqual(
    views.map(({ kind, namespace, labels, pods, addresses }) => [
      ...[kind, namespace, labels['app'] ?? '', pods.join(), addresses.join()],
    ]),
    [
      ['pods', 'shop', 'web', 'shop/web', '10.0.1.2'],
      ['pods', 'db', 'db', 'db/db', '10.0.2.2'],
      ['prefix', '', '', '', '192.0.2.0/24'],
      ['prefix', '', '', '', '192.0.2.128/25'],
    ],
  )
})
