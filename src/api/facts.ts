// What is true of an agent and its node; main.ts gathers it.

/** What only main.ts can know; the rest of the status is counted from tables and maps. */
export interface AgentFacts {
  readonly version: string
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  readonly nodeName: string
  readonly addresses: readonly string[]
  readonly podCidrs: readonly string[]
  /** Addresses of weir_host. */
  readonly gateways: readonly string[]
  /** Devices towards the other nodes: "eth0". */
  readonly uplinks: readonly string[]
  /** As configured; what is in use per node is counted from the destinations. */
  readonly routing: 'auto' | 'vxlan' | 'native'
  /** Bytes of IP packet in pods. */
  readonly mtu: number
  /** How the MTU came about: "1500 (eth0) - 50 (VXLAN over IPv4)". */
  readonly mtuDerivation: string
  readonly socketServices: boolean
  /** What is in force on each uplink, and why it is off: "native on eth0". */
  readonly xdp: string
  readonly source: SourceFacts
  /** What is wrong beyond rows and source: "Cannot attach connect4: EPERM". */
  readonly problems: readonly string[]
}

export interface SourceFacts {
  /** "manifests" or "kubernetes". */
  readonly kind: string
  /** Directory or API server. */
  readonly location: string
  readonly initialized: boolean
  /** Milliseconds since it was last known to be up to date. */
  readonly ageMs: number
  readonly errors: readonly string[]
  /** What was read and is not done, which is nobody's fault: "port 9/SCTP is not served". */
  readonly notes: readonly string[]
  /** How each watch of an API server fares. */
  readonly kinds?: readonly SourceKindFacts[]
}

export interface SourceKindFacts {
  readonly kind: string
  readonly synced: boolean
  /** Since the server last said anything about it, bookmarks included; absent: never. */
  readonly contactAgeMs?: number
  /** Since its last event; absent: none yet. */
  readonly eventAgeMs?: number
  readonly reconnects: number
  readonly relists: number
  /** Answers and events that could not be understood. */
  readonly garbled: number
  readonly badObjects: readonly string[]
}
