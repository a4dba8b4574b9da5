// What `weir policy explain` says, and how it reads names and ports.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPort } from '../../../src/cli/policy-explain.ts'
import { compile, type PolicyGround } from '../../../src/cli/policy-ground.ts'
import { findParty, pairsOf } from '../../../src/cli/policy-names.ts'
import { describeSide, type ExplainedSide, ruleOf } from '../../../src/cli/policy-sides.ts'
import { UnaskedEnds } from '../../../src/cli/policy-unasked.ts'
import { networkPolicyRow } from '../../../src/kube/policy-objects.ts'
import type { Address } from '../../../src/net/address.ts'
import type { Service } from '../../../src/tables/intent.ts'
import { IDENTITY } from '../../../src/tables/policy.ts'
import { createTables } from '../../../src/tables/tables.ts'
import { endpointOf, makeNamespace, makePod } from '../../support/policy-worlds.ts'
import { makeNode } from '../../support/service-rows.ts'

const [WEB, API, FRONT] = ['10.0.1.2', '10.0.2.2', '10.0.2.3'] as [Address, Address, Address]
const [NODE_1, NODE_2] = ['192.0.2.1', '192.0.2.2'] as [Address, Address]

/** web runs here, api and front on node-2, where api takes nothing but TCP 80 of front. */
function ground(): PolicyGround {
  const tables = createTables()
  tables.namespaces.upsert(makeNamespace('shop'))
  tables.nodes.upsert(makeNode('node-1', { addresses: [NODE_1] }))
  tables.nodes.upsert(makeNode('node-2', { addresses: [NODE_2] }))
  const pod = (name: string, node: number, address: Address) =>
    makePod({ name, nodeName: `node-${node}`, addresses: [address], labels: { app: name } })
  const pods = [pod('web', 1, WEB), pod('api', 2, API), pod('front', 2, FRONT)]
  for (const row of pods) tables.pods.upsert(row)
  tables.endpoints.upsert(endpointOf(pod('web', 1, WEB)))
  const service = { namespace: 'shop', name: 'api-service', clusterIps: ['10.96.0.1'] }
  tables.services.upsert(service as unknown as Service)
  const from = [{ podSelector: { matchLabels: { app: 'front' } } }]
  const { row } = networkPolicyRow({
    metadata: { namespace: 'shop', name: 'api' },
    spec: {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [{ from, ports: [{ port: 80 }] }],
    },
  } as never)
  if (row) tables.networkPolicies.upsert(row)
  return { tables, nodeName: 'node-1', own: [NODE_1], implicitNamespaces: false }
}

test('readPort() takes PORT, PORT/PROTOCOL and names of ports, and says what else is wrong', () => {
  const pod = { name: 'shop/web', ports: [{ name: 'dns', protocol: 'UDP', port: 53 } as const] }
  assert.deepEqual(readPort('80', pod), { port: 80, protocol: 6 })
  assert.deepEqual(readPort('53/udp', pod), { port: 53, protocol: 17 })
  assert.deepEqual(readPort('dns', pod), { port: 53, protocol: 17 })
  for (const text of ['0', '65536', 'http', '80/', '80/icmp', '']) {
    assert.throws(() => readPort(text, pod), {
      message:
        `Cannot read port "${text}": give PORT or PORT/UDP, ` +
        'or a port of shop/web by name (dns)',
    })
  }
})

test('findParty() takes pods, Services, nodes and addresses', () => {
  const { tables } = ground()
  const addresses = (text: string) => findParty(text, tables).addresses
  assert.deepEqual(addresses('shop/web'), [WEB])
  assert.deepEqual(addresses('shop/api-service'), ['10.96.0.1'])
  assert.deepEqual(addresses('node-2'), [NODE_2])
  assert.deepEqual(addresses('fd00::1'), ['fd00::1'])
  const refused = (text: string, expected: RegExp): void =>
    assert.throws(() => findParty(text, tables), expected)
  refused('shop/nobody', /^Error: Cannot find shop\/nobody: no pod and no Service of this name/)
  refused('web', /^Error: Cannot find web: there is no node of this name; give NAMESPACE\/NAME/)
  refused('10.0.1', /^Error: Cannot parse address "10.0.1"/)
  const six = findParty('fd00::1', tables)
  assert.throws(
    () => pairsOf(findParty('shop/web', tables), six),
    /^Error: Cannot connect shop\/web to fd00::1: they share no address family/,
  )
})

const names = new Map([[301, 'shop/front-0, shop/front-1']])

function sideOf(answer: ExplainedSide, rules: ReadonlyMap<number, string> = new Map()): string[] {
  const rule = ruleOf(answer, rules)
  return describeSide('ingress', 'shop/db', { ...answer, ...(rule ? { rule } : {}) }, names)
}

test('describeSide() names rule, peer and entry, or their numbers while the agent is away', () => {
  const entry = { identity: 301, protocol: 6, port: 8064, portBits: 10 }
  const answer = { verdict: 'allow', policyId: 4, identity: 301, ruleId: 7, entry } as const
  assert.deepEqual(sideOf(answer, new Map([[7, 'NetworkPolicy shop/db, ingress rule 1']])), [
    'ingress of shop/db: allowed: NetworkPolicy shop/db, ingress rule 1',
    '  the peer is identity 301 (shop/front-0, shop/front-1); ' +
      'set 4 has "shop/front-0, shop/front-1: TCP 8064-8127"',
  ])
  const everybody = { ...entry, identity: IDENTITY.any, protocol: 0, port: 0, portBits: 0 }
  assert.deepEqual(sideOf({ ...answer, verdict: 'deny', identity: 999, entry: everybody }), [
    'ingress of shop/db: denied: rule 7',
    '  the peer is identity 999; set 4 has "everybody: all denied"',
  ])
  assert.match(sideOf({ ...answer, verdict: 'audit' })[0] ?? '', /: denied, but passes .*: rule 7$/)
})

test('describeSide() says what is closed, open, and not asked', () => {
  const none = { policyId: 0, identity: 3, ruleId: 0 }
  const closed = { ...none, verdict: 'deny', policyId: 0xffff_ffff } as const
  assert.equal(sideOf(closed).length, 1)
  assert.match(sideOf(closed)[0] ?? '', /: denied: it is closed, for its policies could not be/)
  assert.deepEqual(sideOf({ ...none, verdict: 'deny', policyId: 9 }), [
    'ingress of shop/db: denied: it is isolated, and no rule allows it',
    '  the peer is identity 3 (the world), and set 9 has no entry for it',
  ])
  const open = sideOf({ ...none, verdict: 'open' })
  assert.deepEqual(open, ['ingress of shop/db: allowed, nothing isolates it'])
  const unasked = { ...none, verdict: 'not_asked' } as const
  assert.deepEqual(sideOf(unasked), ['ingress of shop/db: not asked, it is no pod of this node'])
  assert.deepEqual(sideOf({ ...unasked, foretold: { node: 'b', allowed: false, rule: 'R' } }), [
    'ingress of shop/db: denied: R',
    '  decided on b, foretold from the policies known here; ask there to be certain',
  ])
})

test('UnaskedEnds tells why, and what another node would say of its pod', () => {
  const known = ground()
  compile(known.tables, known)
  const ends = new UnaskedEnds(known)
  const asked = (source: Address, destination: Address, port = 80) =>
    ends.explain('ingress', { source, destination, port, protocol: 6 })
  const on = (allowed: boolean, rule?: string) => ({
    foretold: { node: 'node-2', allowed, ...(rule ? { rule } : {}) },
  })
  assert.deepEqual(asked(FRONT, API), on(true, 'NetworkPolicy shop/api, ingress rule 1'))
  const denied = 'no ingress rule of NetworkPolicy shop/api allows it'
  assert.deepEqual(asked(FRONT, API, 81), on(false, denied))
  assert.deepEqual(asked(WEB, API), on(false, denied))
  assert.deepEqual(asked(NODE_1, API), on(false, denied))
  assert.deepEqual(asked(NODE_2, API), on(true))
  assert.deepEqual(asked(WEB, FRONT), on(true))
  assert.deepEqual(asked(WEB, WEB), { reason: 'a pod always reaches itself' })
  assert.deepEqual(asked(NODE_1, WEB), { reason: 'a node always reaches its own pods' })
  assert.deepEqual(asked(WEB, '8.8.8.8' as Address), { reason: 'it is no pod' })
})
