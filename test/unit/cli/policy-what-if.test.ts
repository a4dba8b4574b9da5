// What a policy would change: compiled by the agent's compiler, judged from rows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../../src/cli/policy-ground.ts'
import { formatEnd, namesOf } from '../../../src/cli/policy-names.ts'
import { addManifest, propose } from '../../../src/cli/policy-proposal.ts'
import { describeSeen, seenConnections } from '../../../src/cli/policy-seen.ts'
import { differencesOf, parseTime } from '../../../src/cli/policy-what-if.ts'
import { type Address, parseAddress } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import type { FlowRecord } from '../../../src/tables/actual.ts'
import type { Endpoint } from '../../../src/tables/intent.ts'
import { createTables, type Tables } from '../../../src/tables/tables.ts'

const GATEWAY = parseAddress('10.0.1.1')
const WEB = parseAddress('10.0.1.5')
const FRIEND = parseAddress('10.0.1.6')
const FAR = parseAddress('10.0.2.7')
const WORLD = parseAddress('8.8.8.8')

function cluster(): Tables {
  const tables = createTables()
  for (const [at, name] of ['a', 'b'].entries()) {
    tables.nodes.upsert({
      ...{ name, labels: {}, leaving: false },
      addresses: [parseAddress(`192.168.0.${at + 1}`)],
      podCidrs: [parsePrefix(`10.0.${at + 1}.0/24`)],
    })
  }
  const pod = (name: string, nodeName: string, address: Address): void => {
    tables.pods.upsert({
      ...{ namespace: 'default', name, uid: name, nodeName, hostNetwork: false, ports: [] },
      ...{ addresses: [address], labels: { role: name } },
    })
    if (nodeName !== 'a') return
    tables.endpoints.upsert({
      ...{
        containerId: name,
        ifName: 'eth0',
        podNamespace: 'default',
        podName: name,
        podUid: name,
      },
      addresses: [address],
    } as unknown as Endpoint)
  }
  pod('web', 'a', WEB)
  pod('friend', 'a', FRIEND)
  pod('far', 'b', FAR)
  return tables
}

const POLICY = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web }
spec:
  podSelector: { matchLabels: { role: web } }
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{ podSelector: { matchLabels: { role: friend } } }]
    ports: [{ port: 80 }]
  egress:
  - to: [{ ipBlock: { cidr: 8.8.0.0/16 } }]
`
const CLUSTER = `
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: no-ssh }
spec:
  tier: Admin
  priority: 1
  subject: { namespaces: {} }
  ingress:
  - action: Deny
    from: [{ namespaces: {} }]
    protocols: [{ tcp: { destinationPort: { number: 22 } } }]
`
const settings = { implicitNamespaces: true }
const to = (source: Address, destination: Address, port: number, protocol = 6) => {
  return { source, destination, port, protocol, live: 1, denied: 0 }
}

test('a policy that is added denies what it does not name, both ways, and spares the node', () => {
  const [before, after] = [cluster(), cluster()]
  addManifest(after, POLICY, 'web.yaml')
  for (const tables of [before, after]) compile(tables, settings)
  const connections = [
    ...[to(FRIEND, WEB, 80), to(FRIEND, WEB, 81), to(FAR, WEB, 80)],
    ...[to(GATEWAY, WEB, 81), to(WEB, WEB, 81), to(WEB, WORLD, 53, 17), to(WEB, FRIEND, 80)],
    to(FRIEND, FAR, 80),
  ]
  const differences = differencesOf([before, after], [GATEWAY], connections)
  assert.deepEqual(
    differences.map(({ source, destination, port, becomes }) => [
      source,
      destination,
      port,
      becomes,
    ]),
    [
      [FRIEND, WEB, 81, 'denied'],
      [FAR, WEB, 80, 'denied'],
      [WEB, FRIEND, 80, 'denied'],
    ],
  )
  assert.match(
    differences[0]?.rule ?? '',
    /no ingress rule of NetworkPolicy default\/web allows it/,
  )
  const back = differencesOf([after, before], [GATEWAY], [to(FAR, WEB, 80)])
  assert.deepEqual(
    back.map(({ becomes, rule }) => [becomes, rule]),
    [['allowed', undefined]],
  )
})

test('a policy is replaced, deleted, or both; cluster policies too', () => {
  const [before, after] = [cluster(), cluster()]
  for (const tables of [before, after]) addManifest(tables, `${POLICY}---${CLUSTER}`, 'web.yaml')
  propose(after, { delete: ['default/web'] })
  for (const tables of [before, after]) compile(tables, settings)
  const asked = [to(FRIEND, WEB, 81), to(FRIEND, WEB, 22), to(WEB, FRIEND, 80)]
  assert.deepEqual(
    differencesOf([before, after], [GATEWAY], asked).map(({ port, becomes }) => [port, becomes]),
    [
      [81, 'allowed'],
      [80, 'allowed'],
    ],
  )
  const last = cluster()
  for (const text of [POLICY, CLUSTER]) addManifest(last, text, 'web.yaml')
  propose(last, { delete: ['no-ssh'] })
  addManifest(last, POLICY.replace('port: 80', 'port: 22'), 'web.yaml')
  compile(last, settings)
  assert.deepEqual(
    differencesOf([before, last], [GATEWAY], [...asked, to(FRIEND, WEB, 80)]).map(
      ({ port, becomes, rule }) => [port, becomes, rule],
    ),
    [
      [22, 'allowed', 'NetworkPolicy default/web, ingress rule 1'],
      [80, 'denied', 'no ingress rule of NetworkPolicy default/web allows it'],
    ],
  )
})

test('what would not fit is said where it closes', () => {
  const [before, after] = [cluster(), cluster()]
  const ports = Array.from({ length: 40_000 }, (_, at) => `{ port: ${at + 1} }`)
  const blocks = Array.from({ length: 14 }, (_, at) => `10.${at + 8}.0.0/16`)
  const from = blocks.map((cidr) => `{ ipBlock: { cidr: ${cidr} } }`)
  const huge = POLICY.replace('[{ port: 80 }]', `[${ports}]`)
  addManifest(after, huge.replace(/from: .*/, `from: [${from}]`), 'huge.yaml')
  for (const tables of [before, after]) compile(tables, settings)
  const [difference] = differencesOf([before, after], [GATEWAY], [to(FRIEND, WEB, 80)])
  assert.match(difference?.rule ?? '', /^PolicyTooLarge: .*need 560001 entries/)
})

test('what is no policy, or not understood, is refused with a sentence', () => {
  const refused = (text: string, expected: RegExp): void =>
    assert.throws(() => addManifest(createTables(), text, 'x.yaml'), expected)
  refused(
    'apiVersion: v1\nkind: Node\nmetadata: { name: a }\n',
    /^Error: Cannot judge Node a of x.yaml: it is no policy$/,
  )
  refused(
    'apiVersion: apps/v1\nkind: Deployment\n',
    /^Error: Cannot judge apps\/v1 Deployment of x.yaml: it is no policy$/,
  )
  refused('a: [', /^Error: x.yaml:1: Cannot parse YAML/)
  refused('', /^Error: Cannot judge x.yaml: there is no policy in it$/)
  refused(`${POLICY}---${POLICY}`, /^Error: x.yaml:\d+: NetworkPolicy default\/web is given twice/)
  const unclear = CLUSTER.replace('priority: 1', 'priority: 5000')
  refused(unclear, /^Error: x.yaml:7: Cannot use ClusterNetworkPolicy no-ssh: .*priority is 5000/)
  const tried = (proposal: object, expected: RegExp): void =>
    assert.throws(() => propose(createTables(), proposal), expected)
  tried({}, /^Error: Cannot judge anything: give policies with -f FILE or --delete NAME$/)
  tried({ filename: ['/no/such'] }, /^Error: Cannot read \/no\/such: there is no such file$/)
  tried({ filename: ['/tmp'] }, /^Error: Cannot read \/tmp: it is a directory$/)
  tried(
    { delete: ['a/b'] },
    /^Error: Cannot delete NetworkPolicy a\/b: there is none of this name$/,
  )
  tried({ delete: ['b'] }, /^Error: Cannot delete ClusterNetworkPolicy b: there is none/)
})

test('a part that is not understood is told, and judged as the agent would', () => {
  const after = cluster()
  const notes = addManifest(after, POLICY.replace('port: 80', 'port: 70000'), 'web.yaml')
  assert.match(notes.join(), /^Cannot use NetworkPolicy default\/web: .*ports\[0\].port is 70000/)
  compile(after, settings)
  const before = cluster()
  compile(before, settings)
  const [difference] = differencesOf([before, after], [GATEWAY], [to(FRIEND, WEB, 80)])
  assert.equal(difference?.becomes, 'denied')
})

test('parseTime() takes seconds, minutes and hours', () => {
  assert.deepEqual(['90s', '10m', '2h'].map(parseTime), [90, 600, 7200])
  for (const text of ['', '10', '0m', '-1m', '1d', 'm']) assert.throws(() => parseTime(text), text)
})

test('seenConnections() counts a connection once, however often it was made', () => {
  const flow = (more: Partial<FlowRecord>, port = 80) =>
    ({
      ...{ state: 'established', direction: 'forward', idleSeconds: 5000 },
      tuple: { source: FRIEND, destination: WORLD, protocol: 6, sourcePort: 1, destinationPort: 9 },
      out: { source: FRIEND, destination: WEB, protocol: 6, sourcePort: 1, destinationPort: port },
      ...more,
    }) as FlowRecord
  const of = (port: number) => ({ source: FRIEND, destination: WEB, protocol: 6, port })
  const seen = seenConnections(
    [
      ...[flow({}), flow({ state: 'embryo' }), flow({ direction: 'reverse' })],
      ...[flow({ state: 'closing', idleSeconds: 3 }, 81), flow({ state: 'closing' }, 82)],
    ],
    [
      { ...of(80), denied: 7, deniedAge: 20, endedAge: 9 },
      { ...of(81), denied: 1, deniedAge: 601 },
      { ...of(83), denied: 1, deniedAge: 600 },
      { ...of(84), denied: 0, endedAge: 130 },
    ],
    600,
  )
  assert.deepEqual(
    seen.map((each) => [each.port, describeSeen(each)]),
    [
      [80, '2 live; denied 7 times, 20 s ago'],
      [81, 'ended 3 s ago'],
      [83, 'denied once, 10 min ago'],
      [84, 'ended 2 min ago'],
    ],
  )
})

test('formatEnd() names pods and nodes', () => {
  const names = namesOf(cluster())
  assert.equal(formatEnd(names, WEB, 80), 'default/web (10.0.1.5:80)')
  assert.equal(formatEnd(names, parseAddress('192.168.0.2')), 'b (192.168.0.2)')
  assert.equal(formatEnd(names, WORLD, 53), '8.8.8.8:53')
})
