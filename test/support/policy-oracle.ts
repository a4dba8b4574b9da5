// Policies evaluated straight from the text of their APIs, an object at a time, with nothing
// compiled and nothing remembered: what the compiled entries must agree with.
import type { V1LabelSelector, V1NetworkPolicy, V1NetworkPolicyPeer } from '@kubernetes/client-node'
import type { ApiClusterNetworkPolicy } from '../../src/kube/cluster-policy-objects.ts'
import type { Address } from '../../src/net/address.ts'
import { parsePrefix, prefixContains } from '../../src/net/prefix.ts'
import type { Namespace, Node, Pod } from '../../src/tables/intent.ts'
import type { PolicyDirection } from '../../src/tables/policy.ts'

export interface OracleWorld {
  readonly namespaces: readonly Namespace[]
  readonly nodes: readonly Node[]
  readonly pods: readonly Pod[]
  readonly policies: readonly V1NetworkPolicy[]
  readonly clusterPolicies: readonly ApiClusterNetworkPolicy[]
}

/** The other side: an address, and the pod that has it, if it is one off the host's network. */
export interface OraclePeer {
  readonly address: Address
  readonly pod: Pod | undefined
}

export interface OraclePacket {
  readonly subject: Pod
  readonly peer: OraclePeer
  readonly direction: PolicyDirection
  readonly protocol: number
  readonly port: number
}

type ClusterRule = NonNullable<NonNullable<ApiClusterNetworkPolicy['spec']>['ingress']>[number]

const NUMBERS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 }

export function oracleAllows(world: OracleWorld, packet: OraclePacket): boolean {
  const admin = clusterTier(world, packet, 'Admin')
  if (admin !== undefined) return admin
  const selecting = world.policies.filter((policy) => isolates(policy, packet))
  if (selecting.length > 0) return selecting.some((policy) => allows(world, policy, packet))
  return clusterTier(world, packet, 'Baseline') ?? true
}

function labelsOf(world: OracleWorld, namespace: string): Readonly<Record<string, string>> {
  return world.namespaces.find(({ name }) => name === namespace)?.labels ?? {}
}

function matches(selector: V1LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (labels[key] !== value) return false
  }
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key]
    if (operator === 'In') return value !== undefined && values.includes(value)
    if (operator === 'NotIn') return value === undefined || !values.includes(value)
    return (value !== undefined) === (operator === 'Exists')
  })
}

function isolates({ metadata, spec }: V1NetworkPolicy, packet: OraclePacket): boolean {
  const { subject, direction } = packet
  if (metadata?.namespace !== subject.namespace) return false
  if (!matches(spec?.podSelector ?? {}, subject.labels)) return false
  const types = spec?.policyTypes?.length
    ? spec.policyTypes
    : ['Ingress', ...(spec?.egress?.length ? ['Egress'] : [])]
  return types.includes(direction === 'ingress' ? 'Ingress' : 'Egress')
}

function allows(world: OracleWorld, policy: V1NetworkPolicy, packet: OraclePacket): boolean {
  const { peer, subject, direction, protocol, port } = packet
  const destination = direction === 'ingress' ? subject : peer.pod
  const { ingress = [], egress = [] } = policy.spec ?? {}
  const rules =
    direction === 'ingress'
      ? ingress.map((rule) => ({ peers: fromOf(rule), ports: rule.ports }))
      : egress.map(({ to, ports }) => ({ peers: to, ports }))
  return rules.some(({ peers, ports }) => {
    const isPort =
      !ports?.length ||
      ports.some((each) => {
        if (NUMBERS[each.protocol ?? 'TCP'] !== protocol) return false
        if (each.port === undefined) return true
        if (typeof each.port === 'number') {
          return port >= each.port && port <= (each.endPort ?? each.port)
        }
        return !!destination?.ports.some(
          (named) =>
            named.name === each.port && NUMBERS[named.protocol] === protocol && named.port === port,
        )
      })
    const isPeer =
      !peers?.length ||
      peers.some(({ podSelector, namespaceSelector, ipBlock }) => {
        if (ipBlock) return inBlock(ipBlock.cidr, ipBlock.except ?? [], peer.address)
        if (!peer.pod) return false
        const isNamespace = namespaceSelector
          ? matches(namespaceSelector, labelsOf(world, peer.pod.namespace))
          : peer.pod.namespace === policy.metadata?.namespace
        return isNamespace && matches(podSelector ?? {}, peer.pod.labels)
      })
    return isPort && isPeer
  })
}

/** As the API has it on the wire; the client's type calls it _from. */
function fromOf(rule: object): V1NetworkPolicyPeer[] | undefined {
  return (rule as { from?: V1NetworkPolicyPeer[] }).from
}

function inBlock(cidr: string, except: readonly string[], address: Address): boolean {
  const holds = (text: string) => prefixContains(parsePrefix(text), address)
  return holds(cidr) && !except.some(holds)
}

/** Undefined: the tier says nothing, or passes on. */
function clusterTier(
  world: OracleWorld,
  packet: OraclePacket,
  tier: 'Admin' | 'Baseline',
): boolean | undefined {
  const { subject, direction } = packet
  const ordered = world.clusterPolicies
    .filter(({ spec }) => spec?.tier === tier)
    .sort(
      (a, b) =>
        (a.spec?.priority ?? 0) - (b.spec?.priority ?? 0) ||
        ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1),
    )
  for (const { spec } of ordered) {
    const { namespaces, pods } = spec?.subject ?? {}
    const labels = labelsOf(world, subject.namespace)
    const isSelected = namespaces
      ? matches(namespaces, labels)
      : matches(pods?.namespaceSelector ?? {}, labels) &&
        matches(pods?.podSelector ?? {}, subject.labels)
    if (!isSelected) continue
    for (const rule of spec?.[direction] ?? []) {
      if (!clusterRuleMatches(world, rule, packet)) continue
      if (rule.action === 'Pass') return undefined
      return rule.action === 'Accept'
    }
  }
  return undefined
}

function clusterRuleMatches(world: OracleWorld, rule: ClusterRule, packet: OraclePacket): boolean {
  const { peer, subject, direction, protocol, port } = packet
  const destination = direction === 'ingress' ? subject : peer.pod
  const isPort =
    !rule.protocols ||
    rule.protocols.some((each) => {
      if (each.destinationNamedPort !== undefined) {
        return !!destination?.ports.some(
          (named) =>
            named.name === each.destinationNamedPort &&
            NUMBERS[named.protocol] === protocol &&
            named.port === port,
        )
      }
      const [name, ports] = each.tcp
        ? ['TCP', each.tcp]
        : each.udp
          ? ['UDP', each.udp]
          : ['SCTP', each.sctp]
      if (NUMBERS[name] !== protocol) return false
      const { number, range } = ports?.destinationPort ?? {}
      if (number !== undefined) return port === number
      return !range || (port >= (range.start ?? 0) && port <= (range.end ?? 0))
    })
  const isPeer = (rule.from ?? rule.to ?? []).some((each) => {
    if (each.networks) return each.networks.some((text) => inBlock(text, [], peer.address))
    if (each.nodes) {
      const { nodes } = each
      return world.nodes.some(
        ({ labels, addresses }) => matches(nodes, labels) && addresses.includes(peer.address),
      )
    }
    if (!peer.pod) return false
    const labels = labelsOf(world, peer.pod.namespace)
    if (each.namespaces) return matches(each.namespaces, labels)
    return (
      matches(each.pods?.namespaceSelector ?? {}, labels) &&
      matches(each.pods?.podSelector ?? {}, peer.pod.labels)
    )
  })
  return isPort && isPeer
}
