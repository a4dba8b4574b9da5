// Runs the collector of ended connections and remembers what it counted. It comes around sooner
// when much expires and later when nothing does: an idle node is left in peace. A table that fills
// holds what is short-lived shorter, so that new connections find room.
import type { Logger } from 'pino'
import type { Program } from '../libbpf/program.ts'
import type { Address } from '../net/address.ts'
import type { FlowCounts } from '../tables/actual.ts'
import type { EntryMap } from './entry-map.ts'
import * as layout from './layout.gen.ts'

/**
 * Seconds without a packet after which a pair goes. TCP's outlasts the two hours after which the
 * kernel's keepalive begins; the others are those of the kernel's conntrack, rounded.
 */
const TIMEOUTS = {
  embryoTimeout: 60,
  tcpTimeout: 8000,
  halfClosedTimeout: 120,
  closingTimeout: 10,
  udpTimeout: 120,
  icmpTimeout: 30,
  otherTimeout: 600,
} as const

/** What the program fills in; `now` of 0 is the kernel's. */
const ZEROES = {
  now: 0,
  established: 0,
  closing: 0,
  udp: 0,
  icmp: 0,
  other: 0,
  embryos: 0,
  expired: 0,
} as const

/** What does not end with a FIN, or has ended, when the table fills: TCP connections stay. */
const PRESSED = ['halfClosedTimeout', 'closingTimeout', 'udpTimeout', 'icmpTimeout'] as const
/** Shares of the table: from one on pairs are held shorter, from the other on the shortest. */
const PRESSED_FROM = 0.5
const PRESSED_MOST_FROM = 0.9
const SHORTEST_SHARE = 0.1

const SHORTEST_MS = 1000
const LONGEST_MS = 5000

/** Whose UDP flows end: of a service port, those to a backend; of 0, those to a frontend. */
export interface Ended {
  readonly serviceId: number
  readonly address: Address
  readonly port: number
}

/** Ends those flows in one walk over the table for as many as the map holds. */
export function purgeFlows(
  program: Program,
  map: EntryMap<layout.EndedKey, number>,
  ended: readonly Ended[],
): void {
  for (let from = 0; from < ended.length; from += map.maxEntries) {
    const keys = ended.slice(from, from + map.maxEntries)
    map.updateMany(keys.map((key) => [key, 1] as const))
    program.testRun({ context: layout.purge.toBytes({ deleted: 0 }) })
    map.deleteMany(keys)
  }
}

/** Seconds to hold pairs in a table of which the share `filled` is taken. */
export function timeoutsAt(filled: number): Record<keyof typeof TIMEOUTS, number> {
  const pressure = (filled - PRESSED_FROM) / (PRESSED_MOST_FROM - PRESSED_FROM)
  const share = 1 - Math.min(1, Math.max(0, pressure)) * (1 - SHORTEST_SHARE)
  const shorter = PRESSED.map((name) => [name, Math.round(TIMEOUTS[name] * share)] as const)
  return { ...TIMEOUTS, ...Object.fromEntries(shorter) }
}

/**
 * The wait before the next run: the shortest while the table fills, half when a quarter of what was
 * seen had expired, else longer.
 */
export function nextIntervalMs(intervalMs: number, counts: FlowCounts, filled: number): number {
  if (filled > PRESSED_FROM) return SHORTEST_MS
  const { established, closing, embryos, expired } = counts
  const seen = established + closing + embryos + expired
  const busy = expired * 4 > seen
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, busy ? intervalMs / 2 : intervalMs * 1.5))
}

export class FlowCollector {
  readonly #program: Program
  readonly #pairs: number
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #intervalMs = SHORTEST_MS
  #counts: FlowCounts | undefined
  #failed = false

  /** Runs from now on until stopped, on a table with room for so many pairs. */
  constructor(program: Program, pairs: number, log: Logger) {
    this.#program = program
    this.#pairs = pairs
    this.#log = log
    this.#schedule()
  }

  /** As of the last run; undefined before the first. */
  get counts(): FlowCounts | undefined {
    return this.#counts
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#run()
      this.#schedule()
    }, this.#intervalMs)
    this.#timer.unref()
  }

  /** As a share, as of the last run. */
  get #filled(): number {
    const { established = 0, closing = 0 } = this.#counts ?? {}
    return (established + closing) / this.#pairs
  }

  #run(): void {
    try {
      const counts = collect(this.#program, timeoutsAt(this.#filled))
      this.#counts = counts
      this.#intervalMs = nextIntervalMs(this.#intervalMs, counts, this.#filled)
      this.#failed = false
    } catch (error) {
      // Once per transition: the table only fills up, and that is counted by itself.
      if (!this.#failed) this.#log.warn({ err: error }, 'Cannot collect ended flows')
      this.#failed = true
      this.#intervalMs = LONGEST_MS
    }
  }
}

function collect(program: Program, timeouts: ReturnType<typeof timeoutsAt>): FlowCounts {
  const { context } = program.testRun({ context: layout.gc.toBytes({ ...timeouts, ...ZEROES }) })
  const { established, udp, icmp, other, closing, embryos, expired } = layout.gc.fromBytes(context)
  return { established: established + udp + icmp + other, closing, embryos, expired }
}
