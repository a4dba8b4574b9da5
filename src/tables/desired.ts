// What we computed: rows written by control/, made true in the kernel by datapath/.
import type { Address } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Protocol } from '../net/protocol.ts'
import type { Balancing, Forwarding } from './services.ts'

export interface Backend {
  readonly address: Address
  readonly port: number
}

/** An endpoint that gets nothing new now. */
export interface OtherBackend extends Backend {
  /** It goes on with what it has. */
  readonly serves: boolean
}

export type FrontendKind = 'ClusterIP' | 'LoadBalancer' | 'ExternalIP' | 'NodePort' | 'HostPort'

/**
 * What becomes of a new connection to an empty set: refuse (RST, ICMP port unreachable), or drop
 * where endpoints exist but none is eligible here (policy Local).
 */
export type WhenEmpty = 'refuse' | 'drop'

/**
 * An address and port where a Service is reached, with the backends a new connection may get.
 * One without backends stays, so that its connections are refused and not routed away.
 */
export interface Frontend {
  readonly address: Address
  readonly port: number
  readonly protocol: Protocol
  /** "namespace/name"; of a HostPort the pod's. */
  readonly service: string
  readonly portName: string
  readonly kind: FrontendKind
  /**
   * For clients inside: pods of the cluster and this node itself. Sorted by address and port,
   * without duplicates, so that equal sets are equal rows.
   */
  readonly backends: readonly Backend[]
  /** For everybody else; the same array object where they do not differ. */
  readonly externalBackends: readonly Backend[]
  /** Of UDP, which has no end that could be seen: the other endpoints; absent: none. */
  readonly others?: readonly OtherBackend[]
  readonly whenEmpty: WhenEmpty
  readonly externalWhenEmpty: WhenEmpty
  /** Seconds that a client keeps its backend; 0: no affinity. */
  readonly affinitySeconds: number
  readonly balancing: Balancing
  readonly forwarding: Forwarding
  /** Sources that may ask, beside this node itself; absent: all. */
  readonly sourceRanges?: readonly Prefix[]
}

/** A port where load balancers ask whether this node is to get connections. */
export interface HealthCheck {
  readonly port: number
  /** "::" is every address of both families. */
  readonly addresses: readonly string[]
  /** "namespace/name" that is asked about; absent: the node as a whole. */
  readonly service?: string
}

/** Destinations outside the cluster whose packets keep the pod's address as source. */
export interface MasqueradeExclusion {
  readonly prefix: Prefix
}

/** How packets to a destination leave the node. */
export type Routing = 'vxlan' | 'native'

/**
 * A range of addresses that lives on another node: its podCIDRs, its gateways, and, with VXLAN,
 * its node addresses as seen from pods. Also the set of nodes from which overlay packets are taken.
 */
export interface Destination {
  readonly prefix: Prefix
  readonly nodeName: string
  /** Address of the node on the underlay, in the family used for the tunnel or the next hop. */
  readonly nodeAddress: Address
  /** The node's IPv4 address, for what is handed over in VXLAN, where nodeAddress is none. */
  readonly tunnelAddress?: Address
  /** The node's address is a neighbour on an uplink: packets need no route lookup. */
  readonly onLink: boolean
  readonly routing: Routing
  /**
   * pods: podCIDR of the node. node: an address of the node itself. services: a range of Service
   * addresses, whose `nodeName` is this node; what is no frontend in it does not exist.
   */
  readonly kind: 'pods' | 'node' | 'services'
  /**
   * Set when the configured routing cannot reach the prefix, in one sentence for people. The
   * datapath writes no entry for such a row (and removes an older one) and fails it with this text.
   */
  readonly problem?: string
}

/**
 * A route in the host's main table to pods of another node. A native node that is not on-link
 * has none: the network between the nodes knows the way, so the host's other routes decide.
 */
export interface NodeRoute {
  readonly prefix: Prefix
  readonly nodeName: string
  /** vxlan: via this node's gateway on weir_host. native: via the node's address on the uplink. */
  readonly routing: Routing
  /** Of the prefix's family. */
  readonly nextHop: Address
}
