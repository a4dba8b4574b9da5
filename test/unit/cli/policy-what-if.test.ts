// What a policy would change: compiled by the agent's compiler, judged from rows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addManifest, compile, differencesOf } from '../../../src/cli/policy-what-if.ts'
import { type Address, parseAddress } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
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
const settings = { implicitNamespaces: true }
const to = (source: Address, destination: Address, port: number, protocol = 6) => {
  return { source, destination, port, protocol }
}

test('a policy that is added denies what it does not name, both ways, and spares the node', () => {
  const [before, after] = [cluster(), cluster()]
  addManifest(after, POLICY, 'web.yaml')
  for (const tables of [before, after]) compile(tables, settings)
  const connections = [
    ...[to(FRIEND, WEB, 80), to(FRIEND, WEB, 81), to(FAR, WEB, 80), to(FAR, WEB, 80)],
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

test('what is no policy, or not understood, is refused with a sentence', () => {
  const refused = (text: string, expected: RegExp): void =>
    assert.throws(() => addManifest(createTables(), text, 'x.yaml'), expected)
  refused(
    'apiVersion: v1\nkind: Node\nmetadata: { name: a }\n',
    /Node a of x.yaml: it is no policy/,
  )
  refused(
    'apiVersion: apps/v1\nkind: Deployment\n',
    /apps\/v1 Deployment of x.yaml: it is no policy/,
  )
  refused('a: [', /Cannot read line 1 of x.yaml/)
  refused('', /there is no policy in it/)
})
