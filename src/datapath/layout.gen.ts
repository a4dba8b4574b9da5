// Generated from the BTF of bpf/out/weir.bpf.o: change bpf/lib and run npm run generate.
import { type Address, putAddress, takeAddress } from '../net/address.ts'
import { type Mac } from '../net/mac.ts'
import { type Codec, defineCodec, eachOf, type MapLayout, putMac, putZeroes, takeMac } from './codec.ts'

/** Layout of the object these codecs were generated from; compare with btfHash(). */
export const OBJECT_HASH = '8228503910248522bc62a34e3d50ee6e'

/** `enum destination_flags`. */
export const DestinationFlags = {
  OVERLAY: 1,
  NODE: 2,
  ON_LINK: 4,
  LOCAL: 8,
} as const
export type DestinationFlags = (typeof DestinationFlags)[keyof typeof DestinationFlags]
/** Names of `enum destination_flags` by number. */
export const destinationFlagsNames: ReadonlyMap<number, string> = new Map(
  Object.entries(DestinationFlags).map(([name, value]) => [value, name]),
)

/** `enum direction`. */
export const Direction = {
  FROM_POD: 0,
  TO_POD: 1,
  FROM_UPLINK: 2,
  FROM_HOST: 3,
  FROM_OVERLAY: 4,
  SOCKET: 5,
  XDP_UPLINK: 6,
  TO_UPLINK: 7,
} as const
export type Direction = (typeof Direction)[keyof typeof Direction]
/** Names of `enum direction` by number. */
export const directionNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Direction).map(([name, value]) => [value, name]),
)

/** `enum drop_reason`. */
export const DropReason = {
  NONE: 0,
  MALFORMED: 1,
  UNSUPPORTED: 2,
  SPOOFED_SOURCE: 3,
  NO_BACKEND: 4,
  NO_ENDPOINT: 5,
  NO_ROUTE: 6,
  FLOW_TABLE_FULL: 7,
  NO_PORT: 8,
  FRAGMENT_UNKNOWN: 9,
  TOO_BIG: 10,
  UNKNOWN_TUNNEL_PEER: 11,
  TTL_EXPIRED: 12,
  REDIRECT_FAILED: 13,
  INVALID_ICMP: 14,
  POLICY_EGRESS: 15,
  POLICY_INGRESS: 16,
  NO_LOCAL_BACKEND: 17,
  SOURCE_RANGE: 18,
} as const
export type DropReason = (typeof DropReason)[keyof typeof DropReason]
/** Names of `enum drop_reason` by number. */
export const dropReasonNames: ReadonlyMap<number, string> = new Map(
  Object.entries(DropReason).map(([name, value]) => [value, name]),
)

/** `enum endpoint_flags`. */
export const EndpointFlags = {
  SHAPED: 1,
} as const
export type EndpointFlags = (typeof EndpointFlags)[keyof typeof EndpointFlags]
/** Names of `enum endpoint_flags` by number. */
export const endpointFlagsNames: ReadonlyMap<number, string> = new Map(
  Object.entries(EndpointFlags).map(([name, value]) => [value, name]),
)

/** `enum endpoint_policy_flags`. */
export const EndpointPolicyFlags = {
  AUDIT: 1,
  PRESENT: 2,
  EGRESS_KINDS: 16128,
  INGRESS_KINDS: 4128768,
} as const
export type EndpointPolicyFlags = (typeof EndpointPolicyFlags)[keyof typeof EndpointPolicyFlags]
/** Names of `enum endpoint_policy_flags` by number. */
export const endpointPolicyFlagsNames: ReadonlyMap<number, string> = new Map(
  Object.entries(EndpointPolicyFlags).map(([name, value]) => [value, name]),
)

/** `enum flow_flags`. */
export const FlowFlags = {
  REVERSE: 1,
  TRANSLATED: 2,
  SERVICE: 4,
  FIN: 8,
  RST: 16,
  SEEN_REPLY: 32,
  HAIRPIN: 64,
  FROM_OVERLAY: 128,
  BY_STACK: 256,
  BY_UPLINK: 512,
  ON_LINK: 1024,
  SHAPED: 2048,
  SNAT: 4096,
  DSR: 8192,
  DSR_NODE: 16384,
} as const
export type FlowFlags = (typeof FlowFlags)[keyof typeof FlowFlags]
/** Names of `enum flow_flags` by number. */
export const flowFlagsNames: ReadonlyMap<number, string> = new Map(
  Object.entries(FlowFlags).map(([name, value]) => [value, name]),
)

/** `enum flow_next`. */
export const FlowNext = {
  STACK: 0,
  ENDPOINT: 1,
  NEIGHBOUR: 2,
  FIB: 3,
  OVERLAY: 4,
  HOST: 5,
} as const
export type FlowNext = (typeof FlowNext)[keyof typeof FlowNext]
/** Names of `enum flow_next` by number. */
export const flowNextNames: ReadonlyMap<number, string> = new Map(
  Object.entries(FlowNext).map(([name, value]) => [value, name]),
)

/** `enum identity`. */
export const Identity = {
  ANY: 0,
  UNKNOWN_POD: 1,
  HOST: 2,
  WORLD: 3,
  NODES: 4,
  PODS4: 5,
  PODS6: 6,
  FIRST_POD: 256,
  FIRST_CIDR: 16777216,
} as const
export type Identity = (typeof Identity)[keyof typeof Identity]
/** Names of `enum identity` by number. */
export const identityNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Identity).map(([name, value]) => [value, name]),
)

/** `enum metric_slot`. */
export const MetricSlot = {
  FORWARDED: 32,
  AUDITED: 60,
  EVENTS_LOST: 63,
} as const
export type MetricSlot = (typeof MetricSlot)[keyof typeof MetricSlot]
/** Names of `enum metric_slot` by number. */
export const metricSlotNames: ReadonlyMap<number, string> = new Map(
  Object.entries(MetricSlot).map(([name, value]) => [value, name]),
)

/** `enum policy_direction`. */
export const PolicyDirection = {
  EGRESS: 0,
  INGRESS: 1,
} as const
export type PolicyDirection = (typeof PolicyDirection)[keyof typeof PolicyDirection]
/** Names of `enum policy_direction` by number. */
export const policyDirectionNames: ReadonlyMap<number, string> = new Map(
  Object.entries(PolicyDirection).map(([name, value]) => [value, name]),
)

/** `enum policy_ids`. */
export const PolicyIds = {
  NONE: 0,
  CLOSED: 4294967295,
} as const
export type PolicyIds = (typeof PolicyIds)[keyof typeof PolicyIds]
/** Names of `enum policy_ids` by number. */
export const policyIdsNames: ReadonlyMap<number, string> = new Map(
  Object.entries(PolicyIds).map(([name, value]) => [value, name]),
)

/** `enum policy_verdict`. */
export const PolicyVerdict = {
  DENY: 0,
  ALLOW: 1,
  AUDIT: 2,
  OPEN: 3,
  NOT_ASKED: 4,
} as const
export type PolicyVerdict = (typeof PolicyVerdict)[keyof typeof PolicyVerdict]
/** Names of `enum policy_verdict` by number. */
export const policyVerdictNames: ReadonlyMap<number, string> = new Map(
  Object.entries(PolicyVerdict).map(([name, value]) => [value, name]),
)

/** `enum service_flags`. */
export const ServiceFlags = {
  MAGLEV: 1,
  DSR: 2,
  SOURCE_RANGES: 4,
  DROP_EMPTY: 8,
  DROP_EMPTY_EXTERNAL: 16,
} as const
export type ServiceFlags = (typeof ServiceFlags)[keyof typeof ServiceFlags]
/** Names of `enum service_flags` by number. */
export const serviceFlagsNames: ReadonlyMap<number, string> = new Map(
  Object.entries(ServiceFlags).map(([name, value]) => [value, name]),
)

/** `struct affinity`, 32 bytes. */
export interface Affinity {
  readonly backend: Address
  readonly port: number
  readonly setId: number
  readonly slot: number
  readonly lastUsed: number
}
export const affinity: Codec<Affinity> = defineCodec(
  32,
  (view, at, v) => {
    putAddress(view, at, v.backend)
    view.setUint16(at + 16, v.port, false)
    view.setUint16(at + 18, 0, true)
    view.setUint32(at + 20, v.setId, true)
    view.setUint32(at + 24, v.slot, true)
    view.setUint32(at + 28, v.lastUsed, true)
  },
  (view, at) => ({
    backend: takeAddress(view, at),
    port: view.getUint16(at + 16, false),
    setId: view.getUint32(at + 20, true),
    slot: view.getUint32(at + 24, true),
    lastUsed: view.getUint32(at + 28, true),
  }),
)

/** `struct affinity_key`, 20 bytes. */
export interface AffinityKey {
  readonly client: Address
  readonly serviceId: number
}
export const affinityKey: Codec<AffinityKey> = defineCodec(
  20,
  (view, at, v) => {
    putAddress(view, at, v.client)
    view.setUint32(at + 16, v.serviceId, true)
  },
  (view, at) => ({
    client: takeAddress(view, at),
    serviceId: view.getUint32(at + 16, true),
  }),
)

/** `struct backend`, 32 bytes. */
export interface Backend {
  readonly address: Address
  readonly port: number
  readonly hits: bigint
}
export const backend: Codec<Backend> = defineCodec(
  32,
  (view, at, v) => {
    putAddress(view, at, v.address)
    view.setUint16(at + 16, v.port, false)
    putZeroes(view, at + 18, 6)
    view.setBigUint64(at + 24, v.hits, true)
  },
  (view, at) => ({
    address: takeAddress(view, at),
    port: view.getUint16(at + 16, false),
    hits: view.getBigUint64(at + 24, true),
  }),
)

/** `struct backend_key`, 8 bytes. */
export interface BackendKey {
  readonly setId: number
  readonly slot: number
}
export const backendKey: Codec<BackendKey> = defineCodec(
  8,
  (view, at, v) => {
    view.setUint32(at, v.setId, true)
    view.setUint32(at + 4, v.slot, true)
  },
  (view, at) => ({
    setId: view.getUint32(at, true),
    slot: view.getUint32(at + 4, true),
  }),
)

/** `struct choice`, 64 bytes. */
export interface Choice {
  readonly key: AffinityKey
  readonly affinity: Affinity
  readonly number: number
  readonly now: number
}
export const choice: Codec<Choice> = defineCodec(
  64,
  (view, at, v) => {
    affinityKey.encode(view, at, v.key)
    affinity.encode(view, at + 20, v.affinity)
    view.setUint32(at + 52, v.number, true)
    view.setUint32(at + 56, v.now, true)
    view.setUint32(at + 60, 0, true)
  },
  (view, at) => ({
    key: affinityKey.decode(view, at),
    affinity: affinity.decode(view, at + 20),
    number: view.getUint32(at + 52, true),
    now: view.getUint32(at + 56, true),
  }),
)

/** `struct cidr_key`, 20 bytes. */
export interface CidrKey {
  readonly prefixLength: number
  readonly address: Address
}
export const cidrKey: Codec<CidrKey> = defineCodec(
  20,
  (view, at, v) => {
    view.setUint32(at, v.prefixLength, true)
    putAddress(view, at + 4, v.address)
  },
  (view, at) => ({
    prefixLength: view.getUint32(at, true),
    address: takeAddress(view, at + 4),
  }),
)

/** `struct config`, 112 bytes. */
export interface Config {
  readonly gateway4: Address
  readonly gateway6: Address
  readonly node4: Address
  readonly node6: Address
  readonly hostIfindex: number
  readonly uplinkIfindex: number
  readonly overlayIfindex: number
  readonly overlayVni: number
  readonly uplinkMtu: number
  readonly overlayPort: number
  readonly hostMac: Mac
  readonly uplinkMac: Mac
  readonly masqueradeFirst: number
  readonly masqueradeCount: number
  readonly masquerade: number
  readonly socketServices: number
  readonly netnsCookie: bigint
}
export const config: Codec<Config> = defineCodec(
  112,
  (view, at, v) => {
    putAddress(view, at, v.gateway4)
    putAddress(view, at + 16, v.gateway6)
    putAddress(view, at + 32, v.node4)
    putAddress(view, at + 48, v.node6)
    view.setUint32(at + 64, v.hostIfindex, true)
    view.setUint32(at + 68, v.uplinkIfindex, true)
    view.setUint32(at + 72, v.overlayIfindex, true)
    view.setUint32(at + 76, v.overlayVni, true)
    view.setUint32(at + 80, v.uplinkMtu, true)
    view.setUint16(at + 84, v.overlayPort, false)
    putMac(view, at + 86, v.hostMac)
    putMac(view, at + 92, v.uplinkMac)
    view.setUint16(at + 98, v.masqueradeFirst, true)
    view.setUint16(at + 100, v.masqueradeCount, true)
    view.setUint8(at + 102, v.masquerade)
    view.setUint8(at + 103, v.socketServices)
    view.setBigUint64(at + 104, v.netnsCookie, true)
  },
  (view, at) => ({
    gateway4: takeAddress(view, at),
    gateway6: takeAddress(view, at + 16),
    node4: takeAddress(view, at + 32),
    node6: takeAddress(view, at + 48),
    hostIfindex: view.getUint32(at + 64, true),
    uplinkIfindex: view.getUint32(at + 68, true),
    overlayIfindex: view.getUint32(at + 72, true),
    overlayVni: view.getUint32(at + 76, true),
    uplinkMtu: view.getUint32(at + 80, true),
    overlayPort: view.getUint16(at + 84, false),
    hostMac: takeMac(view, at + 86),
    uplinkMac: takeMac(view, at + 92),
    masqueradeFirst: view.getUint16(at + 98, true),
    masqueradeCount: view.getUint16(at + 100, true),
    masquerade: view.getUint8(at + 102),
    socketServices: view.getUint8(at + 103),
    netnsCookie: view.getBigUint64(at + 104, true),
  }),
)

/** `struct connection`, 36 bytes. */
export interface Connection {
  readonly source: Address
  readonly destination: Address
  readonly port: number
  readonly protocol: number
}
export const connection: Codec<Connection> = defineCodec(
  36,
  (view, at, v) => {
    putAddress(view, at, v.source)
    putAddress(view, at + 16, v.destination)
    view.setUint16(at + 32, v.port, false)
    view.setUint8(at + 34, v.protocol)
    view.setUint8(at + 35, 0)
  },
  (view, at) => ({
    source: takeAddress(view, at),
    destination: takeAddress(view, at + 16),
    port: view.getUint16(at + 32, false),
    protocol: view.getUint8(at + 34),
  }),
)

/** `struct destination`, 36 bytes. */
export interface Destination {
  readonly node: Address
  readonly tunnel: Address
  readonly flags: number
}
export const destination: Codec<Destination> = defineCodec(
  36,
  (view, at, v) => {
    putAddress(view, at, v.node)
    putAddress(view, at + 16, v.tunnel)
    view.setUint32(at + 32, v.flags, true)
  },
  (view, at) => ({
    node: takeAddress(view, at),
    tunnel: takeAddress(view, at + 16),
    flags: view.getUint32(at + 32, true),
  }),
)

/** `struct destination_key`, 20 bytes. */
export interface DestinationKey {
  readonly prefixLength: number
  readonly address: Address
}
export const destinationKey: Codec<DestinationKey> = defineCodec(
  20,
  (view, at, v) => {
    view.setUint32(at, v.prefixLength, true)
    putAddress(view, at + 4, v.address)
  },
  (view, at) => ({
    prefixLength: view.getUint32(at, true),
    address: takeAddress(view, at + 4),
  }),
)

/** `struct ended_key`, 24 bytes. */
export interface EndedKey {
  readonly address: Address
  readonly serviceId: number
  readonly port: number
}
export const endedKey: Codec<EndedKey> = defineCodec(
  24,
  (view, at, v) => {
    putAddress(view, at, v.address)
    view.setUint32(at + 16, v.serviceId, true)
    view.setUint16(at + 20, v.port, false)
    view.setUint16(at + 22, 0, true)
  },
  (view, at) => ({
    address: takeAddress(view, at),
    serviceId: view.getUint32(at + 16, true),
    port: view.getUint16(at + 20, false),
  }),
)

/** `struct endpoint`, 24 bytes. */
export interface Endpoint {
  readonly ifindex: number
  readonly id: number
  readonly mac: Mac
  readonly hostMac: Mac
  readonly flags: number
  readonly mtu: number
}
export const endpoint: Codec<Endpoint> = defineCodec(
  24,
  (view, at, v) => {
    view.setUint32(at, v.ifindex, true)
    view.setUint16(at + 4, v.id, true)
    putMac(view, at + 6, v.mac)
    putMac(view, at + 12, v.hostMac)
    view.setUint16(at + 18, v.flags, true)
    view.setUint32(at + 20, v.mtu, true)
  },
  (view, at) => ({
    ifindex: view.getUint32(at, true),
    id: view.getUint16(at + 4, true),
    mac: takeMac(view, at + 6),
    hostMac: takeMac(view, at + 12),
    flags: view.getUint16(at + 18, true),
    mtu: view.getUint32(at + 20, true),
  }),
)

/** `struct endpoint_key`, 16 bytes. */
export interface EndpointKey {
  readonly address: Address
}
export const endpointKey: Codec<EndpointKey> = defineCodec(
  16,
  (view, at, v) => {
    putAddress(view, at, v.address)
  },
  (view, at) => ({
    address: takeAddress(view, at),
  }),
)

/** `struct endpoint_policy`, 12 bytes. */
export interface EndpointPolicy {
  readonly ingressPolicy: number
  readonly egressPolicy: number
  readonly flags: number
}
export const endpointPolicy: Codec<EndpointPolicy> = defineCodec(
  12,
  (view, at, v) => {
    view.setUint32(at, v.ingressPolicy, true)
    view.setUint32(at + 4, v.egressPolicy, true)
    view.setUint32(at + 8, v.flags, true)
  },
  (view, at) => ({
    ingressPolicy: view.getUint32(at, true),
    egressPolicy: view.getUint32(at + 4, true),
    flags: view.getUint32(at + 8, true),
  }),
)

/** `struct endpoint_policy_pair`, 24 bytes. */
export interface EndpointPolicyPair {
  readonly of: readonly EndpointPolicy[]
}
export const endpointPolicyPair: Codec<EndpointPolicyPair> = defineCodec(
  24,
  (view, at, v) => {
    eachOf(v.of, 2, (element, i) => endpointPolicy.encode(view, at + i * 12, element))
  },
  (view, at) => ({
    of: Array.from({ length: 2 }, (_, i) => endpointPolicy.decode(view, at + i * 12)),
  }),
)

/** `struct tuple`, 40 bytes. */
export interface Tuple {
  readonly source: Address
  readonly destination: Address
  readonly sourcePort: number
  readonly destinationPort: number
  readonly protocol: number
}
export const tuple: Codec<Tuple> = defineCodec(
  40,
  (view, at, v) => {
    putAddress(view, at, v.source)
    putAddress(view, at + 16, v.destination)
    view.setUint16(at + 32, v.sourcePort, false)
    view.setUint16(at + 34, v.destinationPort, false)
    view.setUint8(at + 36, v.protocol)
    putZeroes(view, at + 37, 3)
  },
  (view, at) => ({
    source: takeAddress(view, at),
    destination: takeAddress(view, at + 16),
    sourcePort: view.getUint16(at + 32, false),
    destinationPort: view.getUint16(at + 34, false),
    protocol: view.getUint8(at + 36),
  }),
)

/** `struct event`, 72 bytes. */
export interface Event {
  readonly timestamp: bigint
  readonly tuple: Tuple
  readonly ifindex: number
  readonly length: number
  readonly endpointId: number
  readonly reason: number
  readonly direction: number
  readonly ruleId: number
  readonly identity: number
  readonly verdict: number
  readonly policyDirection: number
}
export const event: Codec<Event> = defineCodec(
  72,
  (view, at, v) => {
    view.setBigUint64(at, v.timestamp, true)
    tuple.encode(view, at + 8, v.tuple)
    view.setUint32(at + 48, v.ifindex, true)
    view.setUint32(at + 52, v.length, true)
    view.setUint16(at + 56, v.endpointId, true)
    view.setUint8(at + 58, v.reason)
    view.setUint8(at + 59, v.direction)
    view.setUint32(at + 60, v.ruleId, true)
    view.setUint32(at + 64, v.identity, true)
    view.setUint8(at + 68, v.verdict)
    view.setUint8(at + 69, v.policyDirection)
    view.setUint16(at + 70, 0, true)
  },
  (view, at) => ({
    timestamp: view.getBigUint64(at, true),
    tuple: tuple.decode(view, at + 8),
    ifindex: view.getUint32(at + 48, true),
    length: view.getUint32(at + 52, true),
    endpointId: view.getUint16(at + 56, true),
    reason: view.getUint8(at + 58),
    direction: view.getUint8(at + 59),
    ruleId: view.getUint32(at + 60, true),
    identity: view.getUint32(at + 64, true),
    verdict: view.getUint8(at + 68),
    policyDirection: view.getUint8(at + 69),
  }),
)

/** `struct flow`, 120 bytes. */
export interface Flow {
  readonly out: Tuple
  readonly node: Address
  readonly epoch: number
  readonly fromIfindex: number
  readonly toIfindex: number
  readonly lastSeen: number
  readonly serviceId: number
  readonly flags: number
  readonly next: number
  readonly destinationMac: Mac
  readonly sourceMac: Mac
  readonly mtu: number
  readonly egressRule: number
  readonly ingressRule: number
  readonly packets: bigint
  readonly bytes: bigint
}
export const flow: Codec<Flow> = defineCodec(
  120,
  (view, at, v) => {
    tuple.encode(view, at, v.out)
    putAddress(view, at + 40, v.node)
    view.setUint32(at + 56, v.epoch, true)
    view.setUint32(at + 60, v.fromIfindex, true)
    view.setUint32(at + 64, v.toIfindex, true)
    view.setUint32(at + 68, v.lastSeen, true)
    view.setUint32(at + 72, v.serviceId, true)
    view.setUint16(at + 76, v.flags, true)
    view.setUint8(at + 78, v.next)
    view.setUint8(at + 79, 0)
    putMac(view, at + 80, v.destinationMac)
    putMac(view, at + 86, v.sourceMac)
    view.setUint32(at + 92, v.mtu, true)
    view.setUint32(at + 96, v.egressRule, true)
    view.setUint32(at + 100, v.ingressRule, true)
    view.setBigUint64(at + 104, v.packets, true)
    view.setBigUint64(at + 112, v.bytes, true)
  },
  (view, at) => ({
    out: tuple.decode(view, at),
    node: takeAddress(view, at + 40),
    epoch: view.getUint32(at + 56, true),
    fromIfindex: view.getUint32(at + 60, true),
    toIfindex: view.getUint32(at + 64, true),
    lastSeen: view.getUint32(at + 68, true),
    serviceId: view.getUint32(at + 72, true),
    flags: view.getUint16(at + 76, true),
    next: view.getUint8(at + 78),
    destinationMac: takeMac(view, at + 80),
    sourceMac: takeMac(view, at + 86),
    mtu: view.getUint32(at + 92, true),
    egressRule: view.getUint32(at + 96, true),
    ingressRule: view.getUint32(at + 100, true),
    packets: view.getBigUint64(at + 104, true),
    bytes: view.getBigUint64(at + 112, true),
  }),
)

/** `struct flow_pair`, 344 bytes. */
export interface FlowPair {
  readonly key: Tuple
  readonly forward: Flow
  readonly reverse: Flow
  readonly choice: Choice
}
export const flowPair: Codec<FlowPair> = defineCodec(
  344,
  (view, at, v) => {
    tuple.encode(view, at, v.key)
    flow.encode(view, at + 40, v.forward)
    flow.encode(view, at + 160, v.reverse)
    choice.encode(view, at + 280, v.choice)
  },
  (view, at) => ({
    key: tuple.decode(view, at),
    forward: flow.decode(view, at + 40),
    reverse: flow.decode(view, at + 160),
    choice: choice.decode(view, at + 280),
  }),
)

/** `struct fragment`, 4 bytes. */
export interface Fragment {
  readonly sourcePort: number
  readonly destinationPort: number
}
export const fragment: Codec<Fragment> = defineCodec(
  4,
  (view, at, v) => {
    view.setUint16(at, v.sourcePort, false)
    view.setUint16(at + 2, v.destinationPort, false)
  },
  (view, at) => ({
    sourcePort: view.getUint16(at, false),
    destinationPort: view.getUint16(at + 2, false),
  }),
)

/** `struct fragment_key`, 40 bytes. */
export interface FragmentKey {
  readonly source: Address
  readonly destination: Address
  readonly id: number
  readonly protocol: number
}
export const fragmentKey: Codec<FragmentKey> = defineCodec(
  40,
  (view, at, v) => {
    putAddress(view, at, v.source)
    putAddress(view, at + 16, v.destination)
    view.setUint32(at + 32, v.id, true)
    view.setUint8(at + 36, v.protocol)
    putZeroes(view, at + 37, 3)
  },
  (view, at) => ({
    source: takeAddress(view, at),
    destination: takeAddress(view, at + 16),
    id: view.getUint32(at + 32, true),
    protocol: view.getUint8(at + 36),
  }),
)

/** `struct gc`, 60 bytes. */
export interface Gc {
  readonly now: number
  readonly embryoTimeout: number
  readonly tcpTimeout: number
  readonly halfClosedTimeout: number
  readonly closingTimeout: number
  readonly udpTimeout: number
  readonly icmpTimeout: number
  readonly otherTimeout: number
  readonly established: number
  readonly closing: number
  readonly udp: number
  readonly icmp: number
  readonly other: number
  readonly embryos: number
  readonly expired: number
}
export const gc: Codec<Gc> = defineCodec(
  60,
  (view, at, v) => {
    view.setUint32(at, v.now, true)
    view.setUint32(at + 4, v.embryoTimeout, true)
    view.setUint32(at + 8, v.tcpTimeout, true)
    view.setUint32(at + 12, v.halfClosedTimeout, true)
    view.setUint32(at + 16, v.closingTimeout, true)
    view.setUint32(at + 20, v.udpTimeout, true)
    view.setUint32(at + 24, v.icmpTimeout, true)
    view.setUint32(at + 28, v.otherTimeout, true)
    view.setUint32(at + 32, v.established, true)
    view.setUint32(at + 36, v.closing, true)
    view.setUint32(at + 40, v.udp, true)
    view.setUint32(at + 44, v.icmp, true)
    view.setUint32(at + 48, v.other, true)
    view.setUint32(at + 52, v.embryos, true)
    view.setUint32(at + 56, v.expired, true)
  },
  (view, at) => ({
    now: view.getUint32(at, true),
    embryoTimeout: view.getUint32(at + 4, true),
    tcpTimeout: view.getUint32(at + 8, true),
    halfClosedTimeout: view.getUint32(at + 12, true),
    closingTimeout: view.getUint32(at + 16, true),
    udpTimeout: view.getUint32(at + 20, true),
    icmpTimeout: view.getUint32(at + 24, true),
    otherTimeout: view.getUint32(at + 28, true),
    established: view.getUint32(at + 32, true),
    closing: view.getUint32(at + 36, true),
    udp: view.getUint32(at + 40, true),
    icmp: view.getUint32(at + 44, true),
    other: view.getUint32(at + 48, true),
    embryos: view.getUint32(at + 52, true),
    expired: view.getUint32(at + 56, true),
  }),
)

/** `struct identity_key`, 16 bytes. */
export interface IdentityKey {
  readonly address: Address
}
export const identityKey: Codec<IdentityKey> = defineCodec(
  16,
  (view, at, v) => {
    putAddress(view, at, v.address)
  },
  (view, at) => ({
    address: takeAddress(view, at),
  }),
)

/** `struct identity_pair`, 8 bytes. */
export interface IdentityPair {
  readonly identity: readonly number[]
}
export const identityPair: Codec<IdentityPair> = defineCodec(
  8,
  (view, at, v) => {
    eachOf(v.identity, 2, (element, i) => view.setUint32(at + i * 4, element, true))
  },
  (view, at) => ({
    identity: Array.from({ length: 2 }, (_, i) => view.getUint32(at + i * 4, true)),
  }),
)

/** `struct metric`, 16 bytes. */
export interface Metric {
  readonly packets: bigint
  readonly bytes: bigint
}
export const metric: Codec<Metric> = defineCodec(
  16,
  (view, at, v) => {
    view.setBigUint64(at, v.packets, true)
    view.setBigUint64(at + 8, v.bytes, true)
  },
  (view, at) => ({
    packets: view.getBigUint64(at, true),
    bytes: view.getBigUint64(at + 8, true),
  }),
)

/** `struct policy_answer`, 20 bytes. */
export interface PolicyAnswer {
  readonly policyId: number
  readonly identity: number
  readonly ruleId: number
  readonly entryIdentity: number
  readonly entryProtocol: number
  readonly hasEntry: number
  readonly group: number
  readonly verdict: number
}
export const policyAnswer: Codec<PolicyAnswer> = defineCodec(
  20,
  (view, at, v) => {
    view.setUint32(at, v.policyId, true)
    view.setUint32(at + 4, v.identity, true)
    view.setUint32(at + 8, v.ruleId, true)
    view.setUint32(at + 12, v.entryIdentity, true)
    view.setUint8(at + 16, v.entryProtocol)
    view.setUint8(at + 17, v.hasEntry)
    view.setUint8(at + 18, v.group)
    view.setUint8(at + 19, v.verdict)
  },
  (view, at) => ({
    policyId: view.getUint32(at, true),
    identity: view.getUint32(at + 4, true),
    ruleId: view.getUint32(at + 8, true),
    entryIdentity: view.getUint32(at + 12, true),
    entryProtocol: view.getUint8(at + 16),
    hasEntry: view.getUint8(at + 17),
    group: view.getUint8(at + 18),
    verdict: view.getUint8(at + 19),
  }),
)

/** `struct policy_key`, 16 bytes. */
export interface PolicyKey {
  readonly prefixLength: number
  readonly policyId: number
  readonly identity: number
  readonly protocol: number
  readonly direction: number
  readonly port: number
}
export const policyKey: Codec<PolicyKey> = defineCodec(
  16,
  (view, at, v) => {
    view.setUint32(at, v.prefixLength, true)
    view.setUint32(at + 4, v.policyId, true)
    view.setUint32(at + 8, v.identity, true)
    view.setUint8(at + 12, v.protocol)
    view.setUint8(at + 13, v.direction)
    view.setUint16(at + 14, v.port, false)
  },
  (view, at) => ({
    prefixLength: view.getUint32(at, true),
    policyId: view.getUint32(at + 4, true),
    identity: view.getUint32(at + 8, true),
    protocol: view.getUint8(at + 12),
    direction: view.getUint8(at + 13),
    port: view.getUint16(at + 14, false),
  }),
)

/** `struct policy_question`, 76 bytes. */
export interface PolicyQuestion {
  readonly connection: Connection
  readonly egress: PolicyAnswer
  readonly ingress: PolicyAnswer
}
export const policyQuestion: Codec<PolicyQuestion> = defineCodec(
  76,
  (view, at, v) => {
    connection.encode(view, at, v.connection)
    policyAnswer.encode(view, at + 36, v.egress)
    policyAnswer.encode(view, at + 56, v.ingress)
  },
  (view, at) => ({
    connection: connection.decode(view, at),
    egress: policyAnswer.decode(view, at + 36),
    ingress: policyAnswer.decode(view, at + 56),
  }),
)

/** `struct policy_rule`, 8 bytes. */
export interface PolicyRule {
  readonly verdict: number
  readonly ruleId: number
}
export const policyRule: Codec<PolicyRule> = defineCodec(
  8,
  (view, at, v) => {
    view.setUint8(at, v.verdict)
    putZeroes(view, at + 1, 3)
    view.setUint32(at + 4, v.ruleId, true)
  },
  (view, at) => ({
    verdict: view.getUint8(at),
    ruleId: view.getUint32(at + 4, true),
  }),
)

/** `struct policy_work`, 112 bytes. */
export interface PolicyWork {
  readonly question: PolicyQuestion
  readonly key: PolicyKey
  readonly cidr: CidrKey
}
export const policyWork: Codec<PolicyWork> = defineCodec(
  112,
  (view, at, v) => {
    policyQuestion.encode(view, at, v.question)
    policyKey.encode(view, at + 76, v.key)
    cidrKey.encode(view, at + 92, v.cidr)
  },
  (view, at) => ({
    question: policyQuestion.decode(view, at),
    key: policyKey.decode(view, at + 76),
    cidr: cidrKey.decode(view, at + 92),
  }),
)

/** `struct purge`, 4 bytes. */
export interface Purge {
  readonly deleted: number
}
export const purge: Codec<Purge> = defineCodec(
  4,
  (view, at, v) => {
    view.setUint32(at, v.deleted, true)
  },
  (view, at) => ({
    deleted: view.getUint32(at, true),
  }),
)

/** `struct recent`, 12 bytes. */
export interface Recent {
  readonly lastDenied: number
  readonly denied: number
  readonly lastSeen: number
}
export const recent: Codec<Recent> = defineCodec(
  12,
  (view, at, v) => {
    view.setUint32(at, v.lastDenied, true)
    view.setUint32(at + 4, v.denied, true)
    view.setUint32(at + 8, v.lastSeen, true)
  },
  (view, at) => ({
    lastDenied: view.getUint32(at, true),
    denied: view.getUint32(at + 4, true),
    lastSeen: view.getUint32(at + 8, true),
  }),
)

/** `struct service_set`, 8 bytes. */
export interface ServiceSet {
  readonly id: number
  readonly count: number
}
export const serviceSet: Codec<ServiceSet> = defineCodec(
  8,
  (view, at, v) => {
    view.setUint32(at, v.id, true)
    view.setUint32(at + 4, v.count, true)
  },
  (view, at) => ({
    id: view.getUint32(at, true),
    count: view.getUint32(at + 4, true),
  }),
)

/** `struct service`, 28 bytes. */
export interface Service {
  readonly id: number
  readonly internal: ServiceSet
  readonly external: ServiceSet
  readonly affinitySeconds: number
  readonly flags: number
}
export const service: Codec<Service> = defineCodec(
  28,
  (view, at, v) => {
    view.setUint32(at, v.id, true)
    serviceSet.encode(view, at + 4, v.internal)
    serviceSet.encode(view, at + 12, v.external)
    view.setUint32(at + 20, v.affinitySeconds, true)
    view.setUint32(at + 24, v.flags, true)
  },
  (view, at) => ({
    id: view.getUint32(at, true),
    internal: serviceSet.decode(view, at + 4),
    external: serviceSet.decode(view, at + 12),
    affinitySeconds: view.getUint32(at + 20, true),
    flags: view.getUint32(at + 24, true),
  }),
)

/** `struct service_key`, 20 bytes. */
export interface ServiceKey {
  readonly address: Address
  readonly port: number
  readonly protocol: number
}
export const serviceKey: Codec<ServiceKey> = defineCodec(
  20,
  (view, at, v) => {
    putAddress(view, at, v.address)
    view.setUint16(at + 16, v.port, false)
    view.setUint8(at + 18, v.protocol)
    view.setUint8(at + 19, 0)
  },
  (view, at) => ({
    address: takeAddress(view, at),
    port: view.getUint16(at + 16, false),
    protocol: view.getUint8(at + 18),
  }),
)

/** `struct socket_frontend`, 20 bytes. */
export interface SocketFrontend {
  readonly address: Address
  readonly port: number
}
export const socketFrontend: Codec<SocketFrontend> = defineCodec(
  20,
  (view, at, v) => {
    putAddress(view, at, v.address)
    view.setUint16(at + 16, v.port, false)
    view.setUint16(at + 18, 0, true)
  },
  (view, at) => ({
    address: takeAddress(view, at),
    port: view.getUint16(at + 16, false),
  }),
)

/** `struct socket_key`, 32 bytes. */
export interface SocketKey {
  readonly cookie: bigint
  readonly address: Address
  readonly port: number
}
export const socketKey: Codec<SocketKey> = defineCodec(
  32,
  (view, at, v) => {
    view.setBigUint64(at, v.cookie, true)
    putAddress(view, at + 8, v.address)
    view.setUint16(at + 24, v.port, false)
    putZeroes(view, at + 26, 6)
  },
  (view, at) => ({
    cookie: view.getBigUint64(at, true),
    address: takeAddress(view, at + 8),
    port: view.getUint16(at + 24, false),
  }),
)

/** `struct source_range_key`, 24 bytes. */
export interface SourceRangeKey {
  readonly prefixLength: number
  readonly serviceId: number
  readonly address: Address
}
export const sourceRangeKey: Codec<SourceRangeKey> = defineCodec(
  24,
  (view, at, v) => {
    view.setUint32(at, v.prefixLength, true)
    view.setUint32(at + 4, v.serviceId, true)
    putAddress(view, at + 8, v.address)
  },
  (view, at) => ({
    prefixLength: view.getUint32(at, true),
    serviceId: view.getUint32(at + 4, true),
    address: takeAddress(view, at + 8),
  }),
)

/** `struct uplink`, 44 bytes. */
export interface Uplink {
  readonly address4: Address
  readonly address6: Address
  readonly mtu: number
  readonly mac: Mac
}
export const uplink: Codec<Uplink> = defineCodec(
  44,
  (view, at, v) => {
    putAddress(view, at, v.address4)
    putAddress(view, at + 16, v.address6)
    view.setUint32(at + 32, v.mtu, true)
    putMac(view, at + 36, v.mac)
    view.setUint16(at + 42, 0, true)
  },
  (view, at) => ({
    address4: takeAddress(view, at),
    address6: takeAddress(view, at + 16),
    mtu: view.getUint32(at + 32, true),
    mac: takeMac(view, at + 36),
  }),
)

export const u8: Codec<number> = defineCodec(
  1,
  (view, at, v) => view.setUint8(at, v),
  (view, at) => view.getUint8(at),
)

export const u16: Codec<number> = defineCodec(
  2,
  (view, at, v) => view.setUint16(at, v, true),
  (view, at) => view.getUint16(at, true),
)

export const u32: Codec<number> = defineCodec(
  4,
  (view, at, v) => view.setUint32(at, v, true),
  (view, at) => view.getUint32(at, true),
)

export const u64: Codec<bigint> = defineCodec(
  8,
  (view, at, v) => view.setBigUint64(at, v, true),
  (view, at) => view.getBigUint64(at, true),
)

/** The maps as the object defines them; the loader may set other sizes. */
export const maps = {
  affinity: {
    name: 'affinity',
    type: 'lru_hash',
    maxEntries: 65536,
    flags: 0,
    key: affinityKey,
    value: affinity,
  } satisfies MapLayout<AffinityKey, Affinity>,
  backends: {
    name: 'backends',
    type: 'hash',
    maxEntries: 1048576,
    flags: 1,
    key: backendKey,
    value: backend,
  } satisfies MapLayout<BackendKey, Backend>,
  cidrIdentities: {
    name: 'cidr_identities',
    type: 'lpm_trie',
    maxEntries: 65536,
    flags: 1,
    key: cidrKey,
    value: identityPair,
  } satisfies MapLayout<CidrKey, IdentityPair>,
  destinations: {
    name: 'destinations',
    type: 'lpm_trie',
    maxEntries: 65536,
    flags: 1,
    key: destinationKey,
    value: destination,
  } satisfies MapLayout<DestinationKey, Destination>,
  embryos: {
    name: 'embryos',
    type: 'lru_hash',
    maxEntries: 65536,
    flags: 0,
    key: tuple,
    value: flow,
  } satisfies MapLayout<Tuple, Flow>,
  ended: {
    name: 'ended',
    type: 'hash',
    maxEntries: 65536,
    flags: 1,
    key: endedKey,
    value: u32,
  } satisfies MapLayout<EndedKey, number>,
  endpoints: {
    name: 'endpoints',
    type: 'hash',
    maxEntries: 16384,
    flags: 1,
    key: endpointKey,
    value: endpoint,
  } satisfies MapLayout<EndpointKey, Endpoint>,
  events: {
    name: 'events',
    type: 'ringbuf',
    maxEntries: 1048576,
    flags: 0,
  },
  flows: {
    name: 'flows',
    type: 'hash',
    maxEntries: 262144,
    flags: 0,
    key: tuple,
    value: flow,
  } satisfies MapLayout<Tuple, Flow>,
  fragments: {
    name: 'fragments',
    type: 'lru_hash',
    maxEntries: 8192,
    flags: 0,
    key: fragmentKey,
    value: fragment,
  } satisfies MapLayout<FragmentKey, Fragment>,
  identities: {
    name: 'identities',
    type: 'hash',
    maxEntries: 131072,
    flags: 1,
    key: identityKey,
    value: identityPair,
  } satisfies MapLayout<IdentityKey, IdentityPair>,
  metrics: {
    name: 'metrics',
    type: 'percpu_array',
    maxEntries: 512,
    flags: 0,
    key: u32,
    value: metric,
  } satisfies MapLayout<number, Metric>,
  noMasquerade: {
    name: 'no_masquerade',
    type: 'lpm_trie',
    maxEntries: 16384,
    flags: 1,
    key: destinationKey,
    value: u32,
  } satisfies MapLayout<DestinationKey, number>,
  pairScratch: {
    name: 'pair_scratch',
    type: 'percpu_array',
    maxEntries: 1,
    flags: 0,
    key: u32,
    value: flowPair,
  } satisfies MapLayout<number, FlowPair>,
  podPolicies: {
    name: 'pod_policies',
    type: 'hash',
    maxEntries: 32768,
    flags: 1,
    key: identityKey,
    value: endpointPolicyPair,
  } satisfies MapLayout<IdentityKey, EndpointPolicyPair>,
  policy: {
    name: 'policy',
    type: 'lpm_trie',
    maxEntries: 1048576,
    flags: 1,
    key: policyKey,
    value: policyRule,
  } satisfies MapLayout<PolicyKey, PolicyRule>,
  policyScratch: {
    name: 'policy_scratch',
    type: 'percpu_array',
    maxEntries: 1,
    flags: 0,
    key: u32,
    value: policyWork,
  } satisfies MapLayout<number, PolicyWork>,
  recent: {
    name: 'recent',
    type: 'lru_hash',
    maxEntries: 16384,
    flags: 0,
    key: connection,
    value: recent,
  } satisfies MapLayout<Connection, Recent>,
  services: {
    name: 'services',
    type: 'hash',
    maxEntries: 65536,
    flags: 1,
    key: serviceKey,
    value: service,
  } satisfies MapLayout<ServiceKey, Service>,
  sockFrontends: {
    name: 'sock_frontends',
    type: 'lru_hash',
    maxEntries: 65536,
    flags: 0,
    key: socketKey,
    value: socketFrontend,
  } satisfies MapLayout<SocketKey, SocketFrontend>,
  sourceRanges: {
    name: 'source_ranges',
    type: 'lpm_trie',
    maxEntries: 65536,
    flags: 1,
    key: sourceRangeKey,
    value: u32,
  } satisfies MapLayout<SourceRangeKey, number>,
  uplinks: {
    name: 'uplinks',
    type: 'hash',
    maxEntries: 64,
    flags: 0,
    key: u32,
    value: uplink,
  } satisfies MapLayout<number, Uplink>,
} as const

/** Globals, in bytes of their section. */
export const globals = {
  clockRead: { section: '.data.clock', offset: 0, size: 8 },
  config: { section: '.rodata', offset: 0, size: 112 },
  epoch: { section: '.data.epoch', offset: 0, size: 4 },
  policyGeneration: { section: '.data.epoch', offset: 4, size: 4 },
  policyReports: { section: '.data.epoch', offset: 8, size: 4 },
} as const
