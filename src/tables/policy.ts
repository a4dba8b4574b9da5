// What policies say, as rows: the wishes (NetworkPolicy, ClusterNetworkPolicy) as kube/ has checked
// them, and what control/ makes of them for the datapath.
import type { Address } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Protocol } from '../net/protocol.ts'

/** One demand on labels; matchLabels are `In` with one value. `values` only of In and NotIn. */
export interface Requirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values?: readonly string[]
}

/** All demands hold; none: everything is selected. */
export type Selector = readonly Requirement[]

/**
 * Who the other side is. pods: pods that are not on the host's network, of this policy's namespace
 * when `namespaces` is absent. block: addresses, whoever has them, pods included.
 */
export type PolicyPeer =
  | { readonly kind: 'pods'; readonly namespaces?: Selector; readonly pods: Selector }
  | { readonly kind: 'block'; readonly prefix: Prefix; readonly except: readonly Prefix[] }
  /** Addresses of nodes with these labels. */
  | { readonly kind: 'nodes'; readonly nodes: Selector }

/**
 * Ports of the destination. `port` absent: all of the protocol; text: the ports of this name that
 * the destination pod has, of any protocol when `protocol` is absent.
 */
export interface PolicyPort {
  readonly protocol?: Protocol
  readonly port?: number | string
  /** Last of a range that begins at `port`. */
  readonly endPort?: number
}

/**
 * `peers` absent: everybody, empty: nobody. `ports` absent: all ports and all protocols, also those
 * without ports; empty: none.
 */
export interface PolicyClause {
  readonly peers?: readonly PolicyPeer[]
  readonly ports?: readonly PolicyPort[]
}

/** networking.k8s.io/v1. A direction that is absent is not isolated by it. */
export interface NetworkPolicy {
  readonly namespace: string
  readonly name: string
  readonly pods: Selector
  readonly ingress?: readonly PolicyClause[]
  readonly egress?: readonly PolicyClause[]
  /** What of it is not understood, a sentence each; such parts allow nothing. */
  readonly problems: readonly string[]
}

export type ClusterPolicyAction = 'Accept' | 'Deny' | 'Pass'

export interface ClusterPolicyRule extends PolicyClause {
  /** '' when it has none. */
  readonly name: string
  readonly action: ClusterPolicyAction
}

/** ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2. */
export interface ClusterNetworkPolicy {
  readonly name: string
  readonly tier: 'Admin' | 'Baseline'
  /** 0 to 1000, the lowest first. */
  readonly priority: number
  readonly subject: { readonly namespaces: Selector; readonly pods: Selector }
  readonly ingress: readonly ClusterPolicyRule[]
  readonly egress: readonly ClusterPolicyRule[]
  /** What of it is not understood, a sentence each; such parts fail closed. */
  readonly problems: readonly string[]
}

/**
 * Numbers with a meaning of their own in entries and in the maps; bpf/lib/identity.h has the same.
 * pods4, pods6: in entries every pod that is known by name, asked for by an IPv4 or IPv6 address.
 * unknownPod: an address in a podCIDR that no row tells of yet; only "all pods" selects it.
 */
export const IDENTITY = {
  any: 0,
  unknownPod: 1,
  host: 2,
  world: 3,
  nodes: 4,
  pods4: 5,
  pods6: 6,
  firstPod: 256,
  firstCidr: 1 << 24,
} as const

/** Who has an address: a pod of the cluster, on whichever node. Node-local numbers. */
export interface AddressIdentity {
  readonly address: Address
  /** From IDENTITY.firstPod up; or IDENTITY.unknownPod. */
  readonly identity: number
}

/** Addresses that are no pod known by name: the longest prefix that holds one counts. */
export interface CidrIdentity {
  readonly prefix: Prefix
  /** From IDENTITY.firstCidr up. */
  readonly identity: number
}

/** What policy is asked about: a connection after translation, from whichever port. */
export interface PolicyConnection {
  readonly source: Address
  readonly destination: Address
  /** IANA number. */
  readonly protocol: number
  /** Of the destination; 0 for protocols without. */
  readonly port: number
}

export type PolicyDirection = 'ingress' | 'egress'
export type PolicyVerdict = 'allow' | 'deny'

/**
 * One entry of a set. `protocol` is the IANA number; 0: all, and then portBits is 0. Of `port` the
 * first `portBits` count (16: this one, 0: all).
 */
export interface PolicyEntry {
  readonly identity: number
  readonly protocol: number
  readonly port: number
  readonly portBits: number
  readonly verdict: PolicyVerdict
  /** Of PolicyRule; 0: none. */
  readonly ruleId: number
}

/**
 * What a pod's policies say in one direction. Asked in this order, the first entry found decides:
 * the peer's own identity (of its address, else of its prefix, else a number of IDENTITY), then its
 * group (a pod known by name: pods4 or pods6 by the family of its address; a pod that is not:
 * unknownPod), then `any`; each with the packet's protocol and then with 0, each by the longest
 * port prefix. No entry: deny, rule 0.
 *
 * The content under an id never changes but by entries of identities that nobody has before or
 * after the change. Other content has a new id; an id comes again only after it was gone.
 */
export interface PolicySet {
  readonly id: number
  readonly direction: PolicyDirection
  readonly entries: readonly PolicyEntry[]
}

/** In place of a set's id. */
export const POLICY_OPEN = 0
export const POLICY_CLOSED = 0xffff_ffff

/** Why an endpoint is closed: nothing passes it until this is mended. */
export interface PolicyClosure {
  readonly condition: 'PodUnknown' | 'PolicyTooLarge'
  /** One sentence. */
  readonly text: string
}

/** The sets of one address of a local pod; every address of every local pod has a row. */
export interface EndpointPolicy {
  readonly address: Address
  /** "containerID/ifname": whose address it is, a key of `endpoints`. */
  readonly endpoint: string
  /** Id of a PolicySet, or POLICY_OPEN (not isolated), or POLICY_CLOSED. */
  readonly ingress: number
  readonly egress: number
  /** Verdicts are reported and nothing is dropped. */
  readonly audit: boolean
  /** Those that select the pod, sorted: "NetworkPolicy shop/allow-front". Absent: none. */
  readonly policies?: readonly string[]
  readonly closed?: PolicyClosure
}

/** What a rule id stands for: 'NetworkPolicy shop/allow-front, ingress rule 1, port 2'. */
export interface PolicyRule {
  readonly id: number
  readonly text: string
}
