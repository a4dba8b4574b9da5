// What happened to the list and watch of one kind, for status and metrics, and whether it is well
// now: said in the log once when it is no longer, and once when it is again.
import type { Logger } from 'pino'

/** Times are of performance.now(). */
export class Counts {
  readonly #kind: string
  readonly #log: Pick<Logger, 'info' | 'warn'>
  #problem: string | undefined
  /** The first list is complete. */
  synced = false
  /** False for a custom kind that the server does not know. */
  installed = true
  /** The last time that the server said anything about this kind. */
  contactAt: number | undefined
  eventAt: number | undefined
  /** Watches resumed, and lists made after the first. */
  reconnects = 0
  relists = 0
  /** Answers and events that could not be understood. */
  garbled = 0

  constructor(kind: string, log: Pick<Logger, 'info' | 'warn'>) {
    this.#kind = kind
    this.#log = log
  }

  /** Why it is not connected now. */
  get problem(): string | undefined {
    return this.#problem
  }

  heard(): void {
    this.contactAt = performance.now()
  }

  failed(error: Error): void {
    if (this.#problem === undefined) {
      this.#log.warn({ kind: this.#kind, err: error }, 'Lost the API server, rows stay')
    }
    this.#problem = error.message
  }

  isWell(): void {
    if (this.#problem === undefined) return
    this.#problem = undefined
    this.#log.info({ kind: this.#kind }, 'The API server is there again')
  }
}
