// Makes a target equal to a table, level-triggered: a round looks at pending and deleted rows,
// never at the event that woke it. Retrying lives here and nowhere else in the control plane.
import { Retries } from './retries.ts'
import type { Entry, Table } from './table.ts'
import { later } from './timer.ts'

/**
 * The contract of a target. All three get whole rows and may be slow.
 * - update is idempotent: rows may be given again after a failure or a restart, and the target may
 *   hold any older row of the key, also one that was deleted and came back before its deletion ran;
 * - delete of what is absent succeeds;
 * - prune removes whatever the target holds beyond `rows`, and runs only after the table's first
 *   list. update and delete return the failures by row key; a throw fails every row of the call,
 *   and each is tried in a call of its own the next time.
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
  /** Delay before retry `attempt`, 0 is the first. Default: backoffMs. */
  readonly retryMs?: (attempt: number) => number
}

type Verb = 'update' | 'delete'

/** Stands for the prune in retries and in onError, where rows have their key. */
const PRUNE = '(prune)'

export class Reconciler<Row extends object> {
  readonly #table: Table<Row>
  readonly #operations: Operations<Row>
  readonly #options: ReconcilerOptions
  readonly #retries: Retries
  readonly #waiters = new Set<() => void>()
  /**
   * Keys whose row may need work: an optimisation over scanning, refilled from the table at start.
   */
  readonly #dirty = new Set<string>()
  #wakeAt = Infinity
  #cancelWake: (() => void) | undefined
  #round: Promise<void> | undefined
  #pruned = false
  #resyncAsked = false
  #state: 'new' | 'running' | 'stopped' = 'new'
  #unsubscribe: (() => void) | undefined

  constructor(table: Table<Row>, operations: Operations<Row>, options: ReconcilerOptions = {}) {
    this.#table = table
    this.#operations = operations
    this.#options = options
    this.#retries = new Retries(options.retryMs)
    table.keepDeletions()
  }

  start(): void {
    if (this.#state === 'running') return
    this.#state = 'running'
    for (const { key, status } of this.#table.entries()) {
      if (status.state !== 'done') this.#dirty.add(key)
    }
    for (const { key } of this.#table.deleted()) this.#dirty.add(key)
    this.#unsubscribe = this.#table.subscribe((key) => {
      if (key) this.#dirty.add(key)
      this.#wake(this.#options.coalesceMs ?? 0)
    })
    this.#wake(0)
  }

  /**
   * Stops after the call in progress. What the target holds stays; who waits for settled() gets an
   * error.
   */
  async stop(): Promise<void> {
    this.#state = 'stopped'
    this.#unsubscribe?.()
    this.#cancelWake?.()
    this.#wakeAt = Infinity
    await this.#round
    this.#releaseWaiters()
  }

  /**
   * Resolves with the row's entry once it is done or in error, or undefined once its deletion is
   * carried out (a deletion that failed: its entry, in error). Throws when the reconciler is
   * stopped before.
   */
  async settled(key: string): Promise<Entry<Row> | undefined> {
    for (;;) {
      const entry = this.#table.entry(key) ?? this.#table.deletedEntry(key)
      if (entry?.status.state !== 'pending') return entry
      if (this.#state === 'stopped') {
        throw new Error(`Cannot settle ${key} of ${this.#table.name}: the reconciler is stopped`)
      }
      await this.#progress()
    }
  }

  /**
   * Resolves once no row is pending and no deletion is outstanding (failed ones that wait
   * excepted).
   */
  async idle(): Promise<void> {
    while (this.#state === 'new' || this.#round || (this.#state === 'running' && this.#hasWork())) {
      await this.#progress()
    }
  }

  /**
   * Runs update again for every row and then prune: repairs what somebody else changed in the
   * target.
   */
  resync(): void {
    this.#resyncAsked = true
    this.#wake(0)
  }

  #progress(): Promise<void> {
    return new Promise((resolve) => this.#waiters.add(resolve))
  }

  #releaseWaiters(): void {
    for (const resolve of this.#waiters) resolve()
    this.#waiters.clear()
  }

  #hasWork(): boolean {
    if (this.#resyncAsked || this.#pruneIsDue()) return true
    for (const key of this.#dirty) if (this.#isDue(key)) return true
    return false
  }

  #pruneIsDue(): boolean {
    return this.#table.initialized && !this.#pruned && this.#retries.isDue(PRUNE, 0)
  }

  #isDue(key: string): boolean {
    const entry = this.#table.entry(key) ?? this.#table.deletedEntry(key)
    return !entry || this.#retries.isDue(key, entry.revision)
  }

  /** Brings the next round forward to `delayMs` from now; one that is due earlier stands. */
  #wake(delayMs: number): void {
    if (this.#state !== 'running' || this.#round) return
    const at = Date.now() + delayMs
    if (this.#wakeAt <= at) return
    this.#cancelWake?.()
    this.#wakeAt = at
    this.#cancelWake = later(delayMs, () => {
      this.#wakeAt = Infinity
      this.#round = this.#runRound().finally(() => {
        this.#round = undefined
        this.#releaseWaiters()
        this.#scheduleNext()
      })
    })
  }

  #scheduleNext(): void {
    const dueAt = this.#retries.nextDueAt()
    if (this.#hasWork()) this.#wake(this.#options.coalesceMs ?? 0)
    else if (dueAt !== undefined) this.#wake(Math.max(1, dueAt - Date.now()))
  }

  /**
   * Deletes go first, to make room; prune goes last, when the target already holds every row it
   * can.
   */
  async #runRound(): Promise<void> {
    const startedAt = performance.now()
    if (this.#resyncAsked) this.#beginResync()
    const deletes: string[] = []
    const updates: string[] = []
    for (const key of this.#dirty) {
      if (!this.#isDue(key)) continue
      if (this.#table.isDeleted(key)) deletes.push(key)
      else if ((this.#table.entry(key)?.status.state ?? 'done') !== 'done') updates.push(key)
      else this.#finish(key)
    }
    let failed = await this.#run('delete', deletes)
    failed += await this.#run('update', updates)
    if (this.#pruneIsDue() && this.#state === 'running') await this.#prune()
    const rows = deletes.length + updates.length
    const durationMs = performance.now() - startedAt
    if (rows > 0) this.#options.onRound?.(this.#table.name, { rows, failed, durationMs })
  }

  #beginResync(): void {
    this.#resyncAsked = false
    this.#pruned = false
    for (const { key, revision, status } of this.#table.entries()) {
      if (status.state === 'done') this.#table.setStatus(key, revision, { state: 'pending' })
      this.#dirty.add(key)
    }
  }

  async #run(verb: Verb, keys: readonly string[]): Promise<number> {
    let failed = 0
    for (const batch of this.#batches(keys)) {
      if (this.#state !== 'running') break
      // Rows are read now and not at the start of the round: one that was replaced, deleted or
      // came back while earlier batches ran is done as it is, or left to the next round.
      const entries = batch.map((key) =>
        verb === 'delete' ? this.#table.deletedEntry(key) : this.#table.entry(key),
      )
      failed += await this.#call(
        verb,
        entries.filter((entry) => entry !== undefined),
      )
      this.#releaseWaiters()
    }
    return failed
  }

  #batches(keys: readonly string[]): string[][] {
    const size = this.#options.batchSize ?? 1000
    const together = keys.filter((key) => !this.#retries.goesAlone(key))
    const batches: string[][] = []
    for (let at = 0; at < together.length; at += size) batches.push(together.slice(at, at + size))
    for (const key of keys) if (this.#retries.goesAlone(key)) batches.push([key])
    return batches
  }

  async #call(verb: Verb, entries: readonly Entry<Row>[]): Promise<number> {
    if (entries.length === 0) return 0
    let failures: Failures
    let thrown = false
    try {
      failures = await this.#operations[verb](entries.map((entry) => entry.row))
    } catch (error) {
      thrown = true
      failures = new Map(entries.map((entry) => [entry.key, asError(error)]))
    }
    for (const entry of entries) {
      const error = failures.get(entry.key)
      if (error) this.#fail(entry, error, thrown)
      else this.#succeed(verb, entry)
    }
    return failures.size
  }

  #fail({ key, revision }: Entry<Row>, error: Error, thrown: boolean): void {
    const first = this.#retries.failed(key, revision, thrown)
    this.#table.setStatus(key, revision, { state: 'error', error: error.message })
    if (first) this.#options.onError?.(this.#table.name, key, error)
  }

  /** The row may have changed while the call ran: then it stays dirty for the next round. */
  #succeed(verb: Verb, { key, revision }: Entry<Row>): void {
    if (verb === 'update') {
      this.#table.setStatus(key, revision, { state: 'done' })
      if (this.#table.entry(key)?.revision === revision) this.#finish(key)
    } else if (this.#table.deletedEntry(key)?.revision === revision) {
      this.#table.forgetDeleted(key)
      this.#finish(key)
    }
  }

  #finish(key: string): void {
    this.#dirty.delete(key)
    if (this.#retries.succeeded(key)) this.#options.onError?.(this.#table.name, key, undefined)
  }

  async #prune(): Promise<void> {
    const { onError } = this.#options
    this.#pruned = true
    try {
      await this.#operations.prune?.([...this.#table.rows()])
      if (this.#retries.succeeded(PRUNE)) onError?.(this.#table.name, PRUNE, undefined)
    } catch (error) {
      this.#pruned = false
      if (this.#retries.failed(PRUNE, 0)) onError?.(this.#table.name, PRUNE, asError(error))
    }
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
