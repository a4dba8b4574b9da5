// Random clusters with policies, from small vocabularies, so that selectors, blocks and ports meet
// and overlap often.
import type { V1NetworkPolicy } from '@kubernetes/client-node'
import {
  type ApiClusterNetworkPolicy,
  clusterNetworkPolicyRow,
} from '../../src/kube/cluster-policy-objects.ts'
import { networkPolicyRow } from '../../src/kube/policy-objects.ts'
import type { Address } from '../../src/net/address.ts'
import type { Mac } from '../../src/net/mac.ts'
import type { Prefix } from '../../src/net/prefix.ts'
import type { Endpoint, NamedPort, Namespace, Pod } from '../../src/tables/intent.ts'
import type { Tables } from '../../src/tables/tables.ts'
import type { OracleWorld } from './policy-oracle.ts'
import { below, pick } from './random.ts'
import { makeNode } from './service-rows.ts'

type Random = () => number

export const SELF = 'node-1'
/** Of this node and of another one. */
export const OWN = ['192.0.2.1', 'fd99::1'] as Address[]
export const OTHER_NODE = ['192.0.2.2', 'fd99::2'] as Address[]
export const POD_CIDRS = ['10.0.1.0/24', '10.0.2.0/24', 'fd00:1::/64', 'fd00:2::/64'] as Prefix[]
export const WORLD = ['198.51.100.7', '203.0.113.9', '10.9.9.9', '2001:db8::7'] as Address[]
export const PORTS = [53, 79, 80, 81, 443, 8079, 8080, 8081, 8095, 8096, 32000, 65535]

const NAMESPACES = ['shop', 'db', 'ops']
const KEYS = ['app', 'tier', 'team']
const VALUES = ['a', 'b', 'c']
const BLOCKS = [
  ...['0.0.0.0/0', '::/0', '10.0.0.0/8', '10.0.1.0/24', '10.0.1.0/28', '10.0.2.3/32'],
  ...['fd00::/16', 'fd00:1::/64', 'fd00:1::3/128', '198.51.100.0/24', '192.0.2.2/32'],
]
const EXCEPTS: Readonly<Record<string, readonly string[]>> = {
  '0.0.0.0/0': ['10.0.0.0/8', '10.0.1.4/32', '198.51.100.0/24'],
  '::/0': ['fd00::/16', 'fd00:1::4/128'],
  '10.0.0.0/8': ['10.0.2.0/24', '10.0.1.0/28'],
  'fd00::/16': ['fd00:1::/64'],
}
const PORT_NAMES = ['web', 'dns']

export function makePod(more: Partial<Pod> = {}): Pod {
  return {
    ...{ namespace: 'shop', name: 'web', uid: '', nodeName: SELF, hostNetwork: false },
    ...{ addresses: [], labels: {}, ports: [] },
    ...more,
  }
}

export function makeNamespace(name: string, labels: Readonly<Record<string, string>> = {}) {
  const all = { ...labels, 'kubernetes.io/metadata.name': name }
  return { name, labels: all, policyAudit: false } satisfies Namespace
}

/** The attachment of a pod, as CNI asks for it. */
export function endpointOf(pod: Pod, addresses = pod.addresses): Endpoint {
  return {
    ...{ id: 1, containerId: `${pod.namespace}-${pod.name}`, ifName: 'eth0', netns: '/n' },
    ...{ podNamespace: pod.namespace, podName: pod.name, podUid: pod.uid, addresses },
    ...{ mac: '02:00:00:00:00:01' as Mac, hostMac: '02:00:00:00:00:02' as Mac },
    ...{ hostIfName: 'weir1', mtu: 1500, network: 'weir', hostPorts: [] },
  }
}

export function randomLabels(random: Random): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const key of KEYS) if (random() < 0.6) labels[key] = pick(random, VALUES)
  return labels
}

function randomPorts(random: Random): NamedPort[] {
  if (random() < 0.4) return []
  return PORT_NAMES.filter(() => random() < 0.7).map((name) => ({
    name,
    protocol: pick(random, ['TCP', 'TCP', 'UDP'] as const),
    port: pick(random, [80, 8080, 53]),
  }))
}

/** Half of the pods on this node; some single-stack, some on the host's network. */
export function randomPod(random: Random, at: number): Pod {
  const node = 1 + (at % 2)
  const families = [`10.0.${node}.${2 + at}`, `fd00:${node}::${2 + at}`] as Address[]
  const hostNetwork = random() < 0.1
  const chosen = random() < 0.5 ? families : [pick(random, families)]
  return makePod({
    ...{ namespace: pick(random, NAMESPACES), name: `pod-${at}`, nodeName: `node-${node}` },
    ...{ hostNetwork, labels: randomLabels(random), ports: randomPorts(random) },
    addresses: hostNetwork ? (node === 1 ? OWN : OTHER_NODE) : chosen,
  })
}

function randomSelector(random: Random): object {
  if (random() < 0.25) return {}
  if (random() < 0.5) return { matchLabels: { [pick(random, KEYS)]: pick(random, VALUES) } }
  const operator = pick(random, ['In', 'NotIn', 'Exists', 'DoesNotExist'])
  const values = operator.endsWith('In') ? { values: [pick(random, VALUES), 'a'] } : {}
  return { matchExpressions: [{ key: pick(random, KEYS), operator, ...values }] }
}

function randomNamespaceSelector(random: Random): object {
  if (random() < 0.7) return randomSelector(random)
  return { matchLabels: { 'kubernetes.io/metadata.name': pick(random, NAMESPACES) } }
}

function several<T>(random: Random, most: number, make: () => T): T[] {
  return Array.from({ length: 1 + below(random, most) }, make)
}

function randomPeer(random: Random): object {
  const sort = below(random, 4)
  if (sort === 0) return { podSelector: randomSelector(random) }
  if (sort === 1) return { namespaceSelector: randomNamespaceSelector(random) }
  if (sort === 2) {
    return {
      podSelector: randomSelector(random),
      namespaceSelector: randomNamespaceSelector(random),
    }
  }
  const cidr = pick(random, BLOCKS)
  const except = (EXCEPTS[cidr] ?? []).filter(() => random() < 0.4)
  return { ipBlock: { cidr, ...(except.length > 0 ? { except } : {}) } }
}

function randomPolicyPort(random: Random): object {
  const words = pick(random, [{}, ...['TCP', 'UDP', 'SCTP'].map((protocol) => ({ protocol }))])
  const sort = below(random, 4)
  if (sort === 0) return words
  if (sort === 1) return { ...words, port: pick(random, PORT_NAMES) }
  const port = pick(random, PORTS)
  if (sort === 2) return { ...words, port }
  return { ...words, port, endPort: Math.min(65535, port + below(random, 200)) }
}

export function randomPolicy(random: Random, name: string): V1NetworkPolicy {
  const rule = (peers: 'from' | 'to') => ({
    ...(random() < 0.8 ? { [peers]: several(random, 3, () => randomPeer(random)) } : {}),
    ...(random() < 0.6 ? { ports: several(random, 3, () => randomPolicyPort(random)) } : {}),
  })
  const rules = (peers: 'from' | 'to') =>
    random() < 0.2 ? [] : several(random, 2, () => rule(peers))
  const spec = {
    podSelector: randomSelector(random),
    ...(random() < 0.8 ? { ingress: rules('from') } : {}),
    ...(random() < 0.6 ? { egress: rules('to') } : {}),
    ...(random() < 0.6
      ? { policyTypes: pick(random, [['Ingress'], ['Egress'], ['Ingress', 'Egress']]) }
      : {}),
  }
  return { metadata: { name, namespace: pick(random, NAMESPACES) }, spec } as V1NetworkPolicy
}

function randomClusterPeer(random: Random, isEgress: boolean): object {
  const sort = below(random, isEgress ? 4 : 2)
  if (sort === 0) return { namespaces: randomNamespaceSelector(random) }
  if (sort === 1) {
    return {
      pods: {
        namespaceSelector: randomNamespaceSelector(random),
        podSelector: randomSelector(random),
      },
    }
  }
  if (sort === 2) return { networks: several(random, 2, () => pick(random, BLOCKS)) }
  return { nodes: pick(random, [{}, { matchLabels: { pool: 'x' } }]) }
}

function randomProtocol(random: Random): object {
  if (random() < 0.2) return { destinationNamedPort: pick(random, PORT_NAMES) }
  const name = pick(random, ['tcp', 'udp', 'sctp'])
  const start = pick(random, PORTS.slice(0, -1))
  const range = { start, end: Math.min(65535, start + 1 + below(random, 100)) }
  const ports = [{}, { destinationPort: { number: start } }, { destinationPort: { range } }]
  return { [name]: pick(random, ports) }
}

export function randomClusterPolicy(random: Random, name: string): ApiClusterNetworkPolicy {
  const rules = (peers: 'from' | 'to') =>
    several(random, 3, () => ({
      action: pick(random, ['Accept', 'Deny', 'Pass']),
      [peers]: several(random, 2, () => randomClusterPeer(random, peers === 'to')),
      ...(random() < 0.5 ? { protocols: several(random, 2, () => randomProtocol(random)) } : {}),
    }))
  return {
    metadata: { name },
    spec: {
      tier: pick(random, ['Admin', 'Baseline']),
      priority: below(random, 4),
      subject:
        random() < 0.5
          ? { namespaces: randomNamespaceSelector(random) }
          : { pods: { podSelector: randomSelector(random) } },
      ...(random() < 0.7 ? { ingress: rules('from') } : {}),
      ...(random() < 0.7 ? { egress: rules('to') } : {}),
    },
  }
}

export function randomWorld(random: Random): OracleWorld {
  return {
    namespaces: NAMESPACES.map((name) => makeNamespace(name, randomLabels(random))),
    nodes: [
      makeNode(SELF, { addresses: OWN, labels: { pool: 'x' } }),
      makeNode('node-2', { addresses: OTHER_NODE, labels: { pool: pick(random, ['x', 'y']) } }),
    ],
    pods: Array.from({ length: 4 + below(random, 8) }, (_, at) => randomPod(random, at)),
    policies: several(random, 5, () => 0).map((_, at) => randomPolicy(random, `np-${at}`)),
    clusterPolicies:
      random() < 0.5
        ? []
        : several(random, 3, () => 0).map((_, at) => randomClusterPolicy(random, `cnp-${at}`)),
  }
}

/** Puts it into tables as the sources would, by their own conversion. */
export function fillTables(tables: Tables, world: OracleWorld): void {
  for (const row of world.namespaces) tables.namespaces.upsert(row)
  for (const row of world.nodes) tables.nodes.upsert(row)
  for (const row of world.pods) {
    tables.pods.upsert(row)
    if (row.nodeName === SELF && !row.hostNetwork) tables.endpoints.upsert(endpointOf(row))
  }
  for (const object of world.policies) {
    const { row } = networkPolicyRow(object)
    if (row) tables.networkPolicies.upsert(row)
  }
  for (const object of world.clusterPolicies) {
    const { row } = clusterNetworkPolicyRow(object)
    if (row) tables.clusterNetworkPolicies.upsert(row)
  }
}

export function markInputs(tables: Tables): void {
  const { nodes, namespaces, pods, networkPolicies, clusterNetworkPolicies, endpoints } = tables
  const inputs = [nodes, namespaces, pods, networkPolicies, clusterNetworkPolicies, endpoints]
  for (const table of inputs) table.markInitialized()
}
