// Which rows failed, how often, and when each may be tried again. A row that changed meanwhile is
// tried at once: only the revision that failed waits.
import { backoffMs } from './backoff.ts'

interface Retry {
  readonly attempt: number
  readonly dueAt: number
  readonly revision: number
  /**
   * The whole call threw, so this row may have been failed by another one: next time it goes alone.
   */
  readonly alone: boolean
}

export class Retries {
  readonly #retries = new Map<string, Retry>()
  readonly #delayMs: (attempt: number) => number

  constructor(delayMs: (attempt: number) => number = backoffMs) {
    this.#delayMs = delayMs
  }

  /** Notes a failure. Returns whether it is the first since the key last succeeded. */
  failed(key: string, revision: number, alone = false): boolean {
    const before = this.#retries.get(key)
    const attempt = before?.revision === revision ? before.attempt + 1 : 0
    this.#retries.set(key, {
      attempt,
      revision,
      alone,
      dueAt: Date.now() + this.#delayMs(attempt),
    })
    return before === undefined
  }

  /** Returns whether the key had failed before. */
  succeeded(key: string): boolean {
    return this.#retries.delete(key)
  }

  /** True unless exactly this revision failed and its delay is not over. */
  isDue(key: string, revision: number): boolean {
    const retry = this.#retries.get(key)
    return !retry || retry.revision !== revision || retry.dueAt <= Date.now()
  }

  goesAlone(key: string): boolean {
    return this.#retries.get(key)?.alone ?? false
  }

  /** When the next one is due, as Date.now() counts; undefined without failures. */
  nextDueAt(): number | undefined {
    let next: number | undefined
    for (const { dueAt } of this.#retries.values()) if (dueAt < (next ?? Infinity)) next = dueAt
    return next
  }
}
