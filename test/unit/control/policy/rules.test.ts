// Each rule of the policies by name, and each case that is known to go wrong elsewhere.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PolicyCompiler } from '../../../../src/control/policy/compiler.ts'
import { clusterNetworkPolicyRow } from '../../../../src/kube/cluster-policy-objects.ts'
import { networkPolicyRow } from '../../../../src/kube/policy-objects.ts'
import type { Address } from '../../../../src/net/address.ts'
import type { Pod } from '../../../../src/tables/intent.ts'
import { createTables } from '../../../../src/tables/tables.ts'
import { PolicyModel } from '../../../support/policy-lookup.ts'
import {
  endpointOf,
  makeNamespace,
  makePod,
  markInputs,
  OTHER_NODE,
  OWN,
  POD_CIDRS,
} from '../../../support/policy-worlds.ts'
import { makeNode } from '../../../support/service-rows.ts'

const WEB = makePod({ name: 'web', addresses: ['10.0.1.2' as Address], labels: { app: 'web' } })
const DB = makePod({
  ...{ namespace: 'db', name: 'db', nodeName: 'node-2', labels: { app: 'db' } },
  ...{ addresses: ['10.0.2.2' as Address], ports: [{ name: 'sql', protocol: 'TCP', port: 5432 }] },
})
const FRONT = makePod({
  name: 'front',
  addresses: ['10.0.1.3' as Address],
  labels: { app: 'front' },
})
const STRANGER = '198.51.100.7'

interface SceneOptions {
  readonly policies?: readonly object[]
  readonly cluster?: readonly object[]
  readonly pods?: readonly Pod[]
  readonly budget?: number
  readonly audit?: boolean
}

function setScene({ policies = [], cluster = [], pods = [], budget, audit }: SceneOptions = {}) {
  const tables = createTables()
  tables.namespaces.upsert({ ...makeNamespace('shop', { team: 'a' }), policyAudit: audit ?? false })
  tables.namespaces.upsert(makeNamespace('db', { team: 'b' }))
  tables.nodes.upsert(makeNode('node-2', { addresses: OTHER_NODE, labels: { pool: 'x' } }))
  for (const pod of [WEB, DB, FRONT, ...pods]) {
    tables.pods.upsert(pod)
    if (pod.nodeName === 'node-1' && !pod.hostNetwork) tables.endpoints.upsert(endpointOf(pod))
  }
  for (const [at, spec] of policies.entries()) {
    const metadata = { namespace: 'shop', name: `p${at}` }
    const { row } = networkPolicyRow({ metadata, spec } as never)
    if (row) tables.networkPolicies.upsert(row)
  }
  for (const [at, spec] of cluster.entries()) {
    const { row } = clusterNetworkPolicyRow({ metadata: { name: `c${at}` }, spec } as never)
    if (row) tables.clusterNetworkPolicies.upsert(row)
  }
  markInputs(tables)
  const compiler = new PolicyCompiler(tables, { implicitNamespaces: false, budget: budget ?? 1000 })
  compiler.start()
  compiler.run()
  const ask = (direction: 'ingress' | 'egress', peer: string, protocol: number, port: number) => {
    const [web, other] = [WEB.addresses[0], peer] as [Address, Address]
    const model = new PolicyModel(tables, { own: OWN, nodes: OTHER_NODE, podCidrs: POD_CIDRS })
    const sides =
      direction === 'ingress'
        ? { source: other, destination: web }
        : { source: web, destination: other }
    const { allowed, ruleId } = model.ask(direction, { ...sides, protocol, port })
    const text = tables.policyRules.get(String(ruleId))?.text
    return `${allowed ? 'allow' : 'deny'}${text ? `: ${text}` : ''}`
  }
  return { tables, compiler, ask }
}

const ALL = { podSelector: {} }
const DENIED = 'deny: no ingress rule of NetworkPolicy shop/p0 allows it'

test('no policy: everything passes, and nobody is numbered', () => {
  const { tables, ask } = setScene()
  assert.equal(ask('ingress', STRANGER, 6, 80), 'allow')
  assert.equal(tables.addressIdentities.size, 0)
  assert.equal(tables.endpointPolicies.get('10.0.1.2')?.ingress, 0)
})

test('a pod that is selected is isolated in that direction alone; the deny names why', () => {
  const { ask } = setScene({ policies: [ALL] })
  assert.equal(ask('ingress', '10.0.1.3', 6, 80), DENIED)
  assert.equal(ask('ingress', STRANGER, 1, 0), DENIED)
  assert.equal(ask('egress', '10.0.1.3', 6, 80), 'allow')
})

test('the names of rules and ports are in verdicts', () => {
  const from = [{ podSelector: { matchLabels: { app: 'front' } } }]
  const ports = [{ port: 80 }, { port: 90, protocol: 'UDP' }]
  const { ask } = setScene({ policies: [{ ...ALL, ingress: [{ from: [], ports: [] }] }, ALL] })
  assert.equal(ask('ingress', STRANGER, 6, 1), 'allow: NetworkPolicy shop/p0, ingress rule 1')
  const named = setScene({ policies: [{ ...ALL, ingress: [{ from, ports }] }] })
  const text = 'allow: NetworkPolicy shop/p0, ingress rule 1, port'
  assert.equal(named.ask('ingress', '10.0.1.3', 6, 80), `${text} 1`)
  assert.equal(named.ask('ingress', '10.0.1.3', 17, 90), `${text} 2`)
  assert.equal(named.ask('ingress', '10.0.1.3', 6, 90), DENIED)
})

test('ICMP passes where a rule names no ports, and not where it does', () => {
  const { ask } = setScene({ policies: [{ ...ALL, ingress: [{ from: [{ podSelector: {} }] }] }] })
  assert.match(ask('ingress', '10.0.1.3', 1, 0), /^allow/)
  const ported = setScene({ policies: [{ ...ALL, ingress: [{ ports: [{ port: 80 }] }] }] })
  assert.match(ported.ask('ingress', '10.0.1.3', 6, 80), /^allow/)
  assert.equal(ported.ask('ingress', '10.0.1.3', 1, 0), DENIED)
})

test('SCTP isolates and is never read as TCP', () => {
  const ports = [{ port: 80, protocol: 'SCTP' }]
  const { ask } = setScene({ policies: [{ ...ALL, ingress: [{ ports }] }] })
  assert.equal(ask('ingress', STRANGER, 6, 80), DENIED)
  assert.match(ask('ingress', STRANGER, 132, 80), /^allow/)
})

test('except of one policy takes nothing from what another allows', () => {
  const block = (cidr: string, except: string[] = []) => ({
    ...{ ...ALL, ingress: [{ from: [{ ipBlock: { cidr, except } }] }] },
  })
  const one = setScene({ policies: [block('10.0.0.0/8', ['10.0.1.3/32'])] })
  assert.equal(one.ask('ingress', '10.0.1.3', 6, 80), DENIED)
  assert.match(one.ask('ingress', '10.0.2.2', 6, 80), /^allow/)
  const two = setScene({ policies: [block('10.0.0.0/8', ['10.0.1.3/32']), block('10.0.1.3/32')] })
  assert.equal(
    two.ask('ingress', '10.0.1.3', 6, 80),
    'allow: NetworkPolicy shop/p1, ingress rule 1',
  )
})

test('::/0 is no IPv4, and 0.0.0.0/0 no IPv6', () => {
  const rule = (cidr: string) => ({ ...ALL, ingress: [{ from: [{ ipBlock: { cidr } }] }] })
  const six = setScene({ policies: [rule('::/0')] })
  assert.equal(six.ask('ingress', STRANGER, 6, 80), DENIED)
  const four = setScene({ policies: [rule('0.0.0.0/0')] })
  assert.match(four.ask('ingress', STRANGER, 6, 80), /^allow/)
  assert.equal(four.ask('ingress', '2001:db8::1', 6, 80), DENIED)
})

test('a port by name is the number that the destination pod has, another for each', () => {
  const other = makePod({
    ...{ namespace: 'db', name: 'db-2', nodeName: 'node-2', labels: { app: 'db' } },
    addresses: ['10.0.2.3' as Address],
    ports: [{ name: 'sql', protocol: 'TCP', port: 3306 }],
  })
  const egress = [{ to: [{ namespaceSelector: {} }], ports: [{ port: 'sql' }] }]
  const { ask } = setScene({
    ...{ pods: [other], policies: [{ ...ALL, policyTypes: ['Egress'], egress }] },
  })
  assert.match(ask('egress', '10.0.2.2', 6, 5432), /^allow/)
  assert.match(ask('egress', '10.0.2.3', 6, 3306), /^allow/)
  assert.match(ask('egress', '10.0.2.3', 6, 5432), /^deny/)
  assert.match(ask('egress', '10.0.2.2', 17, 5432), /^deny/)
})

test('a range of ports becomes as few prefixes as it can', () => {
  const ports = [{ port: 32000, endPort: 32767 }]
  const { tables } = setScene({ policies: [{ ...ALL, ingress: [{ ports }] }] })
  const [set] = tables.policySets.rows()
  const ranges = set?.entries.filter(({ protocol }) => protocol === 6)
  assert.deepEqual(
    ranges?.map(({ port, portBits }) => `${port}/${portBits}`),
    ['32000/8', '32256/7'],
  )
})

test('pods on the host network are selected by nobody, and peers by their address alone', () => {
  const host = makePod({
    ...{ name: 'host', hostNetwork: true, addresses: OTHER_NODE, labels: { app: 'front' } },
  })
  const from = [{ podSelector: {} }, { namespaceSelector: {} }]
  const { ask } = setScene({ pods: [host], policies: [{ ...ALL, ingress: [{ from }] }] })
  assert.equal(ask('ingress', OTHER_NODE[0] ?? '', 6, 80), DENIED)
  const cidr = `${OTHER_NODE[0]}/32`
  const block = setScene({
    ...{ pods: [host], policies: [{ ...ALL, ingress: [{ from: [{ ipBlock: { cidr } }] }] }] },
  })
  assert.match(block.ask('ingress', OTHER_NODE[0] ?? '', 6, 80), /^allow/)
})

test('a pod that nobody knows yet is meant by "all pods" and by no other selector', () => {
  const unknown = '10.0.2.77'
  const rule = (peer: object) => ({ ...ALL, ingress: [{ from: [peer] }] })
  const all = setScene({ policies: [rule({ namespaceSelector: {} })] })
  assert.match(all.ask('ingress', unknown, 6, 80), /^allow/)
  assert.equal(all.ask('ingress', STRANGER, 6, 80), DENIED)
  const some = setScene({ policies: [rule({ podSelector: {} })] })
  assert.equal(some.ask('ingress', unknown, 6, 80), DENIED)
})

test('an endpoint is closed until its Pod is known, where a policy may concern it', () => {
  const { tables, compiler, ask } = setScene({ policies: [ALL] })
  tables.pods.delete('shop/web')
  compiler.run()
  assert.deepEqual(tables.endpointPolicies.get('10.0.1.2')?.closed, {
    condition: 'PodUnknown',
    text: 'Pod shop/web is not known yet, and policies may select its pods',
  })
  assert.equal(ask('egress', STRANGER, 6, 80), 'deny')
  tables.pods.upsert({ ...WEB, uid: 'other' })
  tables.endpoints.upsert({ ...endpointOf(WEB), podUid: 'mine' })
  compiler.run()
  assert.equal(tables.endpointPolicies.get('10.0.1.2')?.closed?.condition, 'PodUnknown')
  tables.pods.upsert({ ...WEB, uid: 'mine' })
  compiler.run()
  assert.equal(ask('ingress', STRANGER, 6, 80), DENIED)
  tables.pods.delete('shop/web')
  tables.networkPolicies.delete('shop/p0')
  compiler.run()
  assert.equal(ask('ingress', STRANGER, 6, 80), 'allow')
})

test('an address is its local pod, before and whatever the API says', () => {
  const from = [{ podSelector: { matchLabels: { app: 'front' } } }]
  const { tables, compiler, ask } = setScene({ policies: [{ ...ALL, ingress: [{ from }] }] })
  tables.pods.upsert({ ...FRONT, addresses: [] })
  const stale = makePod({ name: 'old', labels: {}, addresses: FRONT.addresses })
  tables.pods.upsert(stale)
  compiler.run()
  assert.match(ask('ingress', '10.0.1.3', 6, 80), /^allow/)
})

test('what does not fit is known before, and closes with its condition', () => {
  const ports = Array.from({ length: 40 }, (_, at) => ({ port: 1000 + 2 * at }))
  const policies = [
    { podSelector: { matchLabels: { app: 'web' } }, ingress: [{ ports }] },
    { podSelector: { matchLabels: { app: 'front' } }, ingress: [] },
  ]
  const { tables, ask } = setScene({ policies, budget: 20 })
  assert.equal(ask('ingress', STRANGER, 6, 1000), 'deny')
  assert.equal(tables.endpointPolicies.get('10.0.1.2')?.closed?.condition, 'PolicyTooLarge')
  assert.match(tables.endpointPolicies.get('10.0.1.2')?.closed?.text ?? '', /need 41 entries/)
  assert.equal(tables.endpointPolicies.get('10.0.1.3')?.closed, undefined)
  assert.equal(tables.policySets.size, 1)
})

test('pods with the same policies share a set; audit is the namespace’s', () => {
  const { tables } = setScene({ policies: [ALL], audit: true })
  const [a, b] = ['10.0.1.2', '10.0.1.3'].map((each) => tables.endpointPolicies.get(each))
  assert.equal(a?.ingress, b?.ingress)
  assert.equal(tables.policySets.size, 1)
  assert.equal(a?.audit, true)
})

test('Admin decides before NetworkPolicy, passes to it, and Baseline comes only without it', () => {
  const subject = { namespaces: {} }
  const from = [{ namespaces: {} }]
  const rule = (action: string, tcp: object) => ({
    ...{ action, from, protocols: [{ tcp: { destinationPort: tcp } }] },
  })
  const admin = {
    ...{ tier: 'Admin', priority: 1, subject },
    ingress: [
      { ...rule('Deny', { number: 22 }), name: 'no-ssh' },
      rule('Accept', { number: 9090 }),
      rule('Pass', { number: 80 }),
      rule('Deny', { range: { start: 80, end: 90 } }),
    ],
  }
  const baseline = {
    ...{ tier: 'Baseline', priority: 1, subject, ingress: [{ action: 'Deny', from }] },
  }
  const open = setScene({ cluster: [admin] })
  const ssh = 'deny: ClusterNetworkPolicy c0, ingress rule 1 (no-ssh)'
  assert.equal(open.ask('ingress', '10.0.2.2', 6, 22), ssh)
  assert.equal(open.ask('ingress', '10.0.2.2', 6, 80), 'allow')
  assert.match(open.ask('ingress', '10.0.2.2', 6, 81), /^deny: .* rule 4$/)
  assert.equal(open.ask('ingress', STRANGER, 6, 22), 'allow')
  const based = setScene({ cluster: [admin, baseline] })
  assert.match(based.ask('ingress', '10.0.2.2', 6, 80), /^deny: ClusterNetworkPolicy c1/)
  assert.match(based.ask('ingress', '10.0.2.2', 6, 9090), /^allow: ClusterNetworkPolicy c0/)
  const policies = [{ ...ALL, ingress: [{ from: [{ namespaceSelector: {} }] }] }]
  const all = setScene({ cluster: [admin, baseline], policies })
  assert.equal(all.ask('ingress', '10.0.2.2', 6, 22), ssh)
  assert.match(all.ask('ingress', '10.0.2.2', 6, 80), /^allow: NetworkPolicy shop\/p0/)
  assert.equal(all.ask('ingress', STRANGER, 6, 80), DENIED)
})

test('nodes and networks are peers of egress; networks hold pods too', () => {
  const subject = { pods: { podSelector: { matchLabels: { app: 'web' } } } }
  const cluster = (to: object[]) => [
    { tier: 'Admin', priority: 1, subject, egress: [{ action: 'Deny', to }] },
  ]
  const nodes = setScene({ cluster: cluster([{ nodes: { matchLabels: { pool: 'x' } } }]) })
  assert.match(nodes.ask('egress', OTHER_NODE[0] ?? '', 6, 80), /^deny/)
  assert.equal(nodes.ask('egress', STRANGER, 6, 80), 'allow')
  const networks = setScene({ cluster: cluster([{ networks: ['10.0.2.0/24'] }]) })
  assert.match(networks.ask('egress', '10.0.2.2', 6, 80), /^deny/)
  assert.equal(networks.ask('egress', '10.0.1.3', 6, 80), 'allow')
})
