// Makes a target equal to a table, level-triggered: a round looks at pending and deleted rows,
// never at the event that woke it. Retrying lives here and nowhere else in the control plane.
import { backoffMs } from './backoff.ts'
import type { Entry, Table } from './table.ts'

/**
 * The contract of a target. All three get whole rows and may be slow.
 * - update is idempotent: rows may be given again after a failure or a restart;
 * - delete of what is absent succeeds;
 * - prune removes whatever the target holds beyond `rows`, and runs only after the table's first list.
 * update and delete return the failures by row key; a throw fails every row of the call.
 */
export interface Operations<Row> {
  update(rows: readonly Row[]): Promise<Failures>
  delete(rows: readonly Row[]): Promise<Failures>
  prune?(rows: readonly Row[]): Promise<void>
}

export type Failures = ReadonlyMap<string, Error>
export const NO_FAILURES: Failures = new Map()

export interface ReconcilerOptions {
  /** Called once per row and transition into error, and on the way out of it. */
  readonly onError?: (table: string, key: string, error: Error | undefined) => void
  /** Observes every round: rows handled, failures, duration. */
  readonly onRound?: (
    table: string,
    round: { rows: number; failed: number; durationMs: number },
  ) => void
  /** Rows per call of update or delete. */
  readonly batchSize?: number
  /** Waits this long after the first change before a round, so that changes coalesce. Default 0. */
  readonly coalesceMs?: number
}

interface Retry {
  attempt: number
  dueAt: number
  /** Revision of the row that failed; a newer one is tried at once. */
  revision: number
}

export class Reconciler<Row extends object> {
  readonly #table: Table<Row>
  readonly #operations: Operations<Row>
  readonly #options: ReconcilerOptions
  readonly #retries = new Map<string, Retry>()
  readonly #waiters = new Set<() => void>()
  /** Keys whose row may need work; an optimisation over scanning, refilled from the table at start. */
  readonly #dirty = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #pruned = false
  #stopped = true
  #unsubscribe: (() => void) | undefined

  constructor(table: Table<Row>, operations: Operations<Row>, options: ReconcilerOptions = {}) {
    this.#table = table
    this.#operations = operations
    this.#options = options
  }

  start(): void {
    this.#stopped = false
    for (const entry of this.#table.entries()) {
      if (entry.status.state === 'pending') this.#dirty.add(entry.key)
    }
    for (const entry of this.#table.deleted()) this.#dirty.add(entry.key)
    this.#unsubscribe = this.#table.subscribe((key) => {
      if (key) this.#dirty.add(key)
      this.#wake(this.#options.coalesceMs ?? 0)
    })
    this.#wake(0)
  }

  /** Stops after the round in progress. What the target holds stays. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe?.()
    clearTimeout(this.#timer)
    await this.#running
  }

  /** Resolves with the row's entry once it is no longer pending, or undefined once its deletion is carried out. */
  async settled(key: string): Promise<Entry<Row> | undefined> {
    for (;;) {
      const entry = this.#table.entry(key)
      if (entry ? entry.status.state !== 'pending' : !this.#table.isDeleted(key)) return entry
      await new Promise<void>((resolve) => this.#waiters.add(resolve))
    }
  }

  /** Resolves once no row is pending and no deletion is outstanding (failed ones excepted). */
  async idle(): Promise<void> {
    while (this.#running || this.#hasWork()) {
      await new Promise<void>((resolve) => this.#waiters.add(resolve))
    }
  }

  /** Runs update again for every row and then prune: repairs what somebody else changed in the target. */
  resync(): void {
    for (const entry of this.#table.entries()) {
      this.#table.setStatus(entry.key, entry.revision, { state: 'pending' })
      this.#dirty.add(entry.key)
    }
    this.#pruned = false
    this.#wake(0)
  }

  #hasWork(): boolean {
    const now = Date.now()
    for (const key of this.#dirty) if ((this.#retries.get(key)?.dueAt ?? 0) <= now) return true
    return this.#table.initialized && !this.#pruned
  }

  #wake(delayMs: number): void {
    if (this.#stopped || this.#running || this.#timer) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#running = this.#round().finally(() => {
        this.#running = undefined
        for (const resolve of this.#waiters) resolve()
        this.#waiters.clear()
        this.#scheduleNext()
      })
    }, delayMs)
  }

  #scheduleNext(): void {
    if (this.#hasWork()) return this.#wake(0)
    const dueAt = Math.min(...[...this.#retries.values()].map((retry) => retry.dueAt))
    if (dueAt !== Number.POSITIVE_INFINITY) this.#wake(Math.max(1, dueAt - Date.now()))
  }

  /** Deletes go first, to make room; prune goes last, when the target already holds every row. */
  async #round(): Promise<void> {
    const startedAt = performance.now()
    const deleted = new Map([...this.#table.deleted()].map((entry) => [entry.key, entry]))
    const deletes: Entry<Row>[] = []
    const updates: Entry<Row>[] = []
    for (const key of this.#dirty) {
      const entry = this.#table.entry(key)
      const gone = deleted.get(key)
      const revision = entry?.revision ?? gone?.revision
      const retry = this.#retries.get(key)
      if (retry && retry.revision === revision && retry.dueAt > Date.now()) continue
      if (gone) deletes.push(gone)
      else if (entry && (entry.status.state === 'pending' || retry)) updates.push(entry)
      else this.#dirty.delete(key)
    }
    let failed = await this.#run(deletes, 'delete')
    failed += await this.#run(updates, 'update')
    if (this.#table.initialized && !this.#pruned && failed === 0) await this.#prune()
    const rows = deletes.length + updates.length
    const durationMs = performance.now() - startedAt
    if (rows > 0) this.#options.onRound?.(this.#table.name, { rows, failed, durationMs })
  }

  async #run(entries: readonly Entry<Row>[], verb: 'update' | 'delete'): Promise<number> {
    let failed = 0
    const size = this.#options.batchSize ?? 1000
    for (let at = 0; at < entries.length; at += size) {
      const batch = entries.slice(at, at + size)
      const failures = await this.#call(batch, verb)
      for (const entry of batch) {
        const error = failures.get(entry.key)
        this.#settle(entry, verb, error)
        if (error) failed++
      }
    }
    return failed
  }

  async #call(batch: readonly Entry<Row>[], verb: 'update' | 'delete'): Promise<Failures> {
    try {
      return await this.#operations[verb](batch.map((entry) => entry.row))
    } catch (error) {
      return new Map(batch.map((entry) => [entry.key, error as Error]))
    }
  }

  #settle(entry: Entry<Row>, verb: 'update' | 'delete', error: Error | undefined): void {
    const { key, revision } = entry
    const before = this.#retries.get(key)
    const current = this.#table.entry(key)
    if (error) {
      const attempt = before && before.revision === revision ? before.attempt + 1 : 0
      this.#retries.set(key, { attempt, revision, dueAt: Date.now() + backoffMs(attempt) })
      if (verb === 'update') {
        this.#table.setStatus(key, revision, { state: 'error', error: error.message })
      }
      if (!before) this.#options.onError?.(this.#table.name, key, error)
      return
    }
    this.#retries.delete(key)
    if (before) this.#options.onError?.(this.#table.name, key, undefined)
    if (verb === 'delete') {
      if (!current) this.#table.forgetDeleted(key)
    } else this.#table.setStatus(key, revision, { state: 'done' })
    // The row may have changed while the call ran: then it stays dirty for the next round.
    const settled = verb === 'delete' ? !current : current?.revision === revision
    if (settled) this.#dirty.delete(key)
  }

  async #prune(): Promise<void> {
    try {
      await this.#operations.prune?.([...this.#table.rows()])
      this.#pruned = true
    } catch (error) {
      this.#options.onError?.(this.#table.name, '(prune)', error as Error)
      this.#pruned = true
    }
  }
}
