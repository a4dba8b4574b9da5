// Is the proxying of Services alive, and is this node to get new connections? As kube-proxy has it
// (pkg/proxy/healthcheck/proxy_health.go, KEP-3836): late is only what has waited too long; an idle
// proxy is healthy.
import type { Table } from '../state/table.ts'
import type { Frontend } from '../tables/desired.ts'
import type { Node } from '../tables/intent.ts'

/** Twice the sync period of kube-proxy. */
const LATE_MS = 60_000

export interface ProxyHealthOptions {
  readonly frontends: Table<Frontend>
  readonly ownNode: () => Node | undefined
  readonly now?: () => number
}

export class ProxyHealth {
  readonly #options: ProxyHealthOptions
  readonly #now: () => number
  /** The oldest change that no round has carried out, and the newest; undefined: none waits. */
  #waitingSince: number | undefined
  #changedAt = 0
  #updatedAt: number
  readonly #unsubscribe: () => void

  constructor(options: ProxyHealthOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#updatedAt = this.#now()
    this.#unsubscribe = options.frontends.subscribe(() => {
      this.#changedAt = this.#now()
      this.#waitingSince ??= this.#changedAt
    })
  }

  stop(): void {
    this.#unsubscribe()
  }

  /** A round of the frontends is over; what has changed since its beginning waits for the next. */
  observeRound(durationMs: number): void {
    const now = this.#now()
    this.#updatedAt = now
    const startedAt = now - durationMs
    this.#waitingSince = this.#changedAt > startedAt ? startedAt : undefined
  }

  get healthy(): boolean {
    return this.#waitingSince === undefined || this.#now() - this.#waitingSince < LATE_MS
  }

  /** False while the node is being removed. A node that is not known yet is not told to leave. */
  get nodeEligible(): boolean {
    return this.#options.ownNode()?.leaving !== true
  }

  /** What the page says; `lastUpdated` of a healthy proxy is now, as load balancers expect. */
  report(): {
    readonly healthy: boolean
    readonly lastUpdated: string
    readonly currentTime: string
  } {
    const now = this.#now()
    const { healthy } = this
    const lastUpdated = new Date(healthy ? now : this.#updatedAt).toISOString()
    return { healthy, lastUpdated, currentTime: new Date(now).toISOString() }
  }
}
