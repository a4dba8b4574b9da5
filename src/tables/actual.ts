// What the kernel holds: rows read back from maps and routes by datapath/, for showing and for
// drift. They flow to people only; nothing is ever derived from them.
import type { Address } from '../net/address.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Protocol } from '../net/protocol.ts'
import type { Backend, Routing } from './desired.ts'
import type { PolicyConnection, PolicyEntry } from './policy.ts'

/** One address of a local pod, from map `endpoints`; a dual-stack endpoint has two. */
export interface ActualEndpoint {
  readonly address: Address
  readonly id: number
  readonly ifindex: number
  /** Name of the host's veth end; absent when no such interface exists any more. */
  readonly hostIfName?: string
  readonly mac: Mac
  readonly hostMac: Mac
  readonly mtu: number
}

/** A backend from map `backends`. */
export interface ActualBackend extends Backend {
  /** New connections it was given through this set and those before it. */
  readonly hits: bigint
}

/** A frontend from map `services`, with the backends of its sets in slot order, each once. */
export interface ActualFrontend {
  readonly address: Address
  readonly port: number
  readonly protocol: Protocol
  /** Number of the service port. */
  readonly id: number
  /** For clients inside. */
  readonly setId: number
  readonly backends: readonly ActualBackend[]
  /** For everybody else; the same set where they do not differ. */
  readonly externalSetId: number
  readonly externalBackends: readonly ActualBackend[]
  readonly affinitySeconds: number
  /** Slots that map `backends` should hold and does not; always 0 unless somebody else wrote it. */
  readonly missingBackends: number
}

/** From map `destinations`. */
export interface ActualDestination {
  readonly prefix: Prefix
  readonly nodeAddress: Address
  readonly routing: Routing
  readonly kind: 'pods' | 'node'
  readonly onLink: boolean
}

/** A route of ours (by its protocol number) in the main table. */
export interface ActualRoute {
  readonly prefix: Prefix
  readonly ifindex: number
  readonly interfaceName: string
  readonly gateway?: Address
}

/** A source and destination as programs see them; for ICMP echo one of the ports holds the id. */
export interface FlowTuple {
  readonly source: Address
  readonly destination: Address
  readonly sourcePort: number
  readonly destinationPort: number
  /** IANA number. */
  readonly protocol: number
}

/** established: both directions seen, map `flows`. embryo: unanswered so far, map `embryos`. */
export type FlowState = 'embryo' | 'established' | 'closing'

export type FlowNext = 'stack' | 'endpoint' | 'neighbour' | 'fib' | 'overlay' | 'host'

/** One entry of a flow pair: the tuple as it arrives and the tuple as it leaves. */
export interface FlowRecord {
  readonly state: FlowState
  readonly direction: 'forward' | 'reverse'
  readonly tuple: FlowTuple
  readonly out: FlowTuple
  readonly next: FlowNext
  /** Other node when the flow leaves or enters by one. */
  readonly node?: Address
  readonly fromIfindex: number
  readonly toIfindex: number
  readonly serviceId: number
  /** Rules that let it be, of table policyRules; 0: nothing isolates that side. */
  readonly egressRule: number
  readonly ingressRule: number
  /** Names of enum flow_flags that are set, without their prefix, lower case. */
  readonly flags: readonly string[]
  /** Seconds since the last packet that was noted. */
  readonly idleSeconds: number
  /** The epoch under which it was decided is not the present one: its next packet decides again. */
  readonly stale: boolean
  readonly packets: bigint
  readonly bytes: bigint
}

/** Whom the programs take for whom: the half of the maps that is in force. */
export interface ActualIdentities {
  readonly addresses: ReadonlyMap<string, number>
  readonly prefixes: ReadonlyMap<string, number>
}

/** One direction: not isolated, or nothing passes, or the entries that the programs look up. */
export type ActualPodRules = 'open' | 'closed' | readonly PolicyEntry[]

/** What the programs ask for one address of a local pod. */
export interface ActualPodPolicy {
  readonly ingress: ActualPodRules
  readonly egress: ActualPodRules
  readonly audit: boolean
}

/** A connection that is in no flow table: policy refused it, or it has ended. */
export interface RecentConnection extends PolicyConnection {
  /** Packets that were refused. */
  readonly denied: number
  /** Seconds since the last of them; absent: there was none. */
  readonly deniedAge?: number
  /** Seconds since the last packet of one that had been answered; absent: there was none. */
  readonly endedAge?: number
}

/** A pinned map, as `weir map list` shows it. */
export interface ActualMap {
  readonly name: string
  readonly id: number
  /** bpf_map_type in words: "hash", "lpm_trie". */
  readonly type: string
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  /** Old entries make room for new ones: such a map is often full, and never too full. */
  readonly evicts: boolean
  /** Absent where counting makes no sense (arrays, ring buffers). */
  readonly entries?: number
}

/** One entry of a map: decoded where a codec is known, always with its bytes in hex. */
export interface ActualMapEntry {
  readonly key: Readonly<Record<string, unknown>>
  readonly value: Readonly<Record<string, unknown>>
  readonly keyHex: string
  readonly valueHex: string
}

/** A program as loaded, with what the kernel counts about it. */
export interface ActualProgram {
  readonly name: string
  readonly id: number
  readonly tag: string
  /** "tcx ingress", "xdp native", "cgroup connect4", "clsact egress" of pods; "none": it is run. */
  readonly hook: string
  /** Devices and cgroups where it is attached so. */
  readonly places: readonly string[]
  readonly verifiedInstructions: number
  /** Size of the machine code. */
  readonly jitedBytes: number
  /** 0 unless sysctl kernel.bpf_stats_enabled is 1. */
  readonly runs: number
  readonly timeNs: bigint
}

/** What policy said of a connection, on one side of it. */
export interface PolicyDecision {
  readonly direction: 'ingress' | 'egress'
  /** audit: would be denied, but its namespace is only watched. open: nothing isolates the pod. */
  readonly verdict: 'allow' | 'deny' | 'audit' | 'open'
  /** Of table policyRules; 0: no rule. */
  readonly ruleId: number
  /** Whom the other side was taken for. */
  readonly identity: number
}

/** The entry of a set that decided; `portBits` of `port` count. */
export interface ActualPolicyEntry {
  readonly identity: number
  /** IANA number; 0: all. */
  readonly protocol: number
  readonly port: number
  readonly portBits: number
}

/** What one end's policies say of a connection. */
export interface ActualPolicyAnswer {
  /** not_asked: no pod of this node, or the node to its own pod, or a pod to itself. */
  readonly verdict: PolicyDecision['verdict'] | 'not_asked'
  /** Number of the set in map `policy`; 0: none, 0xffffffff: closed. */
  readonly policyId: number
  readonly identity: number
  readonly ruleId: number
  readonly entry?: ActualPolicyEntry
}

export interface ActualPolicyExplanation extends PolicyConnection {
  readonly egress: ActualPolicyAnswer
  readonly ingress: ActualPolicyAnswer
  readonly allowed: boolean
}

/** What a program reported through the ring buffer. */
export interface DatapathEvent {
  /** verdict: a decision of policy that let the packet go on. */
  readonly kind: 'drop' | 'verdict'
  /** Nanoseconds since boot. */
  readonly timeNs: bigint
  /** Name of enum drop_reason in lower case without its prefix: "no_endpoint". */
  readonly reason: string
  /** Where it was met, as the entry program is called: "from_pod", "socket". */
  readonly program: string
  /** 0: a socket. */
  readonly ifindex: number
  /** The pod of this node that it concerns, by endpoint id; absent: none. */
  readonly endpointId?: number
  /** 0: not known where it was decided. */
  readonly lengthBytes: number
  readonly tuple: FlowTuple
  /** Of verdicts, and of drops by policy. */
  readonly policy?: PolicyDecision
}

/** Packets and bytes counted by the programs under one reason ("none" is forwarded). */
export interface PacketCount {
  readonly reason: string
  readonly direction: string
  readonly packets: bigint
  readonly bytes: bigint
}

/** What the last run of flow_gc saw. */
export interface FlowCounts {
  readonly established: number
  readonly closing: number
  readonly embryos: number
  readonly expired: number
}
