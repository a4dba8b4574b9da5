// What metrics are read from at a scrape. The shapes are structural on purpose: this room imports
// no table and no map; main.ts passes functions of the rooms that own them.

/** A table as far as counting goes; state/table.ts fits. */
export interface CountedTable {
  readonly name: string
  /** False for tables whose rows nobody makes true: they count as "held". */
  readonly reconciled: boolean
  entries(): Iterable<{ readonly status: { readonly state: string } }>
}

export interface MapFill {
  readonly name: string
  readonly maxEntries: number
  /** Old entries make room for new ones. */
  readonly evicts?: boolean
  /** Absent where counting makes no sense (arrays, ring buffers). */
  readonly entries?: number
}

/** Totals since the maps were made; they outlive the agent. Reason "none" is forwarded. */
export interface PacketTotal {
  readonly reason: string
  readonly direction: string
  readonly packets: bigint
  readonly bytes: bigint
}

export interface FlowTotals {
  readonly established: number
  readonly closing: number
  readonly embryos: number
  readonly expired: number
}

export interface SourceState {
  /** "manifests" or "kubernetes". */
  readonly kind: string
  /** True after the first complete list. */
  readonly initialized: boolean
  /** Milliseconds since the source was last known to be up to date. */
  readonly ageMs: number
  /** What cannot be read now, one sentence each. */
  readonly errors: readonly string[]
  /** Watches of an API server; absent for manifests. */
  readonly kinds?: readonly KindState[]
}

export interface KindState {
  readonly kind: string
  readonly synced: boolean
  readonly contactAgeMs?: number
  readonly eventAgeMs?: number
  /** Totals since the agent's start. */
  readonly reconnects: number
  readonly relists: number
  readonly garbled: number
  readonly badObjects: readonly string[]
}

type Reading<T> = () => T | Promise<T>

/** Each is called at every scrape and may throw. */
export interface MetricReadings {
  readonly tables: Reading<Iterable<CountedTable>>
  readonly maps: Reading<readonly MapFill[]>
  readonly packets: Reading<readonly PacketTotal[]>
  /** Undefined until the flow collector ran once. */
  readonly flows: Reading<FlowTotals | undefined>
  /** Events that the ring buffer had no room for, since it was made. */
  readonly eventsLost: Reading<number | bigint>
  /** Connections that policy would have denied in namespaces that are only watched. */
  readonly audited: Reading<Readonly<Record<'egress' | 'ingress', number | bigint>>>
  readonly source: Reading<SourceState>
  /** Services with a frontend that the kernel does not have as wanted: "namespace/name". */
  readonly unserved: Reading<readonly string[]>
  /** Addresses that policy has closed, by condition. */
  readonly policyClosed: Reading<Readonly<Record<string, number>>>
}
