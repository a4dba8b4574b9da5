// How long a change of endpoints takes from the pod to the map: from the time that the slice says
// (what kube-proxy calls network programming latency) to the end of the round that wrote it.
import type { Table } from './state/table.ts'
import type { Frontend } from './tables/desired.ts'
import type { EndpointSlice } from './tables/intent.ts'

export interface ProgrammingLatencyOptions {
  readonly endpointSlices: Table<EndpointSlice>
  readonly frontends: Table<Frontend>
  readonly observe: (seconds: number) => void
  readonly now?: () => number
}

/** A Service whose slices have changed and whose frontends are not all written yet. */
interface Waiting {
  /** Of its changes the oldest. */
  readonly changedAt: number
  readonly heardAt: number
  /** Its frontends that changed by it; empty: not derived yet, or nothing came of it. */
  readonly keys: Set<string>
}

/** Frontends are derived at once: a change that has moved none by then concerns nobody here. */
const DERIVED_WITHIN_MS = 1000

export class ProgrammingLatency {
  readonly #options: ProgrammingLatencyOptions
  readonly #now: () => number
  readonly #waiting = new Map<string, Waiting>()
  readonly #stops: readonly (() => void)[]

  constructor(options: ProgrammingLatencyOptions) {
    const { endpointSlices, frontends, now = Date.now } = options
    this.#options = options
    this.#now = now
    const startedAt = now()
    this.#stops = [
      endpointSlices.subscribe((key) => {
        const slice = endpointSlices.get(key)
        // What happened before this agent ran says nothing about it.
        if (slice?.changedAt !== undefined && slice.changedAt >= startedAt) this.#heard(slice)
      }),
      frontends.subscribe((key) => {
        const service = frontends.get(key)?.service
        if (service !== undefined) this.#waiting.get(service)?.keys.add(key)
      }),
    ]
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }

  /** A round of the frontends is over. */
  observeRound(): void {
    const { frontends, observe } = this.#options
    const now = this.#now()
    for (const [service, { changedAt, heardAt, keys }] of this.#waiting) {
      const states = [...keys].map((key) => frontends.entry(key)?.status.state)
      if (states.length === 0 && now - heardAt < DERIVED_WITHIN_MS) continue
      if (states.some((state) => state === 'pending' || state === 'error')) continue
      this.#waiting.delete(service)
      if (states.length > 0) observe(Math.max(0, now - changedAt) / 1000)
    }
  }

  #heard({ namespace, service, changedAt = 0 }: EndpointSlice): void {
    const name = `${namespace}/${service}`
    const before = this.#waiting.get(name)
    this.#waiting.set(name, {
      changedAt: Math.min(changedAt, before?.changedAt ?? changedAt),
      heardAt: this.#now(),
      keys: before?.keys ?? new Set(),
    })
  }
}
