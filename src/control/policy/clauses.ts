// Policies as clauses: who, which ports, what then, and the words for it. The words are the rule's
// name in every verdict.
import type {
  ClusterNetworkPolicy,
  ClusterPolicyAction,
  NetworkPolicy,
  PolicyClause,
  PolicyDirection,
  PolicyPeer,
  PolicyPort,
} from '../../tables/policy.ts'

/** Asked in this order. The second is NetworkPolicy's: when one isolates, its word is the last. */
export const LAYERS = ['Admin', 'NetworkPolicy', 'Baseline'] as const
export type Layer = (typeof LAYERS)[number]

export interface Clause {
  readonly layer: Layer
  readonly action: ClusterPolicyAction
  /** Of the policy; what a peer without a namespace selector means. */
  readonly namespace: string
  readonly peers: readonly PolicyPeer[] | undefined
  readonly ports: readonly PolicyPort[] | undefined
  /** "NetworkPolicy shop/allow-front, ingress rule 1". */
  readonly text: string
}

/** A policy in both its directions; `serial` is another for every version of it. */
export interface Policy {
  readonly serial: number
  readonly key: string
  readonly layer: Layer
  readonly priority: number
  /** Absent: it does not isolate in this direction. */
  readonly ingress: readonly Clause[] | undefined
  readonly egress: readonly Clause[] | undefined
}

export function networkPolicyKey({ namespace, name }: NetworkPolicy): string {
  return `NetworkPolicy ${namespace}/${name}`
}

export function clusterPolicyKey({ name }: ClusterNetworkPolicy): string {
  return `ClusterNetworkPolicy ${name}`
}

export function fromNetworkPolicy(row: NetworkPolicy, serial: number): Policy {
  const key = networkPolicyKey(row)
  const clauses = (direction: PolicyDirection) =>
    row[direction]?.map(({ peers, ports }, at): Clause => {
      const text = `${key}, ${direction} rule ${at + 1}`
      const words = { layer: 'NetworkPolicy', action: 'Accept', text } as const
      return { ...words, namespace: row.namespace, peers, ports }
    })
  return {
    ...{ serial, key, layer: 'NetworkPolicy', priority: 0 },
    ...{ ingress: clauses('ingress'), egress: clauses('egress') },
  }
}

export function fromClusterPolicy(row: ClusterNetworkPolicy, serial: number): Policy {
  const key = clusterPolicyKey(row)
  const clauses = (direction: PolicyDirection) =>
    row[direction].map(({ name, action, peers, ports }, at): Clause => {
      const text = `${key}, ${direction} rule ${at + 1}${name === '' ? '' : ` (${name})`}`
      return { layer: row.tier, action, text, namespace: '', peers, ports }
    })
  return {
    ...{ serial, key, layer: row.tier, priority: row.priority },
    ...{ ingress: clauses('ingress'), egress: clauses('egress') },
  }
}

/** Within a layer by priority; of equal ones by name, so that it does not matter who was first. */
export function comparePolicies(a: Policy, b: Policy): number {
  if (a.layer !== b.layer) return LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer)
  if (a.priority !== b.priority) return a.priority - b.priority
  return a.key < b.key ? -1 : 1
}

/** What tells peers apart: label keys of pods, and names of ports that peers must have. */
export function wordsOf(row: NetworkPolicy | ClusterNetworkPolicy): {
  readonly labels: ReadonlySet<string>
  readonly ports: ReadonlySet<string>
} {
  const labels = new Set<string>()
  const ports = new Set<string>()
  const egress: readonly PolicyClause[] = row.egress ?? []
  for (const { peers = [] } of [...(row.ingress ?? []), ...egress]) {
    for (const peer of peers) {
      if (peer.kind === 'pods') for (const { key } of peer.pods) labels.add(key)
    }
  }
  for (const clause of egress) {
    for (const { port } of clause.ports ?? []) if (typeof port === 'string') ports.add(port)
  }
  return { labels, ports }
}
