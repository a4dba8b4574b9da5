// A table: immutable rows under one key, each with a revision and a status.
// Readers look at rows, never at events: a change only says "look again".
import { Multimap } from './multimap.ts'

export type Status =
  | { readonly state: 'pending' }
  | { readonly state: 'done' }
  | { readonly state: 'error'; readonly error: string }

/** A row as the table holds it. `revision` grows with every change of any row in the table. */
export interface Entry<Row> {
  readonly key: string
  readonly row: Row
  readonly revision: number
  readonly status: Status
}

/** Keys of rows by what is looked for. */
interface Index<Row> {
  readonly keysOf: (row: Row) => Iterable<string>
  readonly keys: Multimap<string, string>
}

const PENDING: Status = { state: 'pending' }

export class Table<Row extends object> {
  readonly name: string
  readonly keyOf: (row: Row) => string
  #entries = new Map<string, Entry<Row>>()
  #deleted = new Map<string, Entry<Row>>()
  #indices = new Map<string, Index<Row>>()
  #listeners = new Set<(key: string) => void>()
  #revision = 0
  #initialized = false
  #keepsDeletions = false

  constructor(name: string, keyOf: (row: Row) => string) {
    this.name = name
    this.keyOf = keyOf
  }

  get size(): number {
    return this.#entries.size
  }

  /** Revision of the newest change. */
  get revision(): number {
    return this.#revision
  }

  /** True once every source has completed its first list; nothing is pruned before. */
  get initialized(): boolean {
    return this.#initialized
  }

  /** Called by the source, once, after its first complete list. Wakes listeners with the key ''. */
  markInitialized(): void {
    if (this.#initialized) return
    this.#initialized = true
    this.#notify('')
  }

  get(key: string): Row | undefined {
    return this.#entries.get(key)?.row
  }

  entry(key: string): Entry<Row> | undefined {
    return this.#entries.get(key)
  }

  /** Rows in order of insertion. */
  *rows(): IterableIterator<Row> {
    for (const entry of this.#entries.values()) yield entry.row
  }

  entries(): IterableIterator<Entry<Row>> {
    return this.#entries.values()
  }

  /**
   * Puts a whole row; a row deeply equal to the one held changes nothing. Returns whether it
   * changed.
   */
  upsert(row: Row): boolean {
    const key = this.keyOf(row)
    const before = this.#entries.get(key)
    if (before && sameRow(before.row, row)) return false
    if (before) this.#unindex(key, before.row)
    this.#entries.set(key, { key, row, revision: ++this.#revision, status: PENDING })
    this.#deleted.delete(key)
    this.#index(key, row)
    this.#notify(key)
    return true
  }

  /**
   * Deletes by key; the absent is fine. With keepDeletions() the row stays readable in deleted().
   */
  delete(key: string): boolean {
    const before = this.#entries.get(key)
    if (!before) return false
    const revision = ++this.#revision
    this.#entries.delete(key)
    this.#unindex(key, before.row)
    if (this.#keepsDeletions) this.#deleted.set(key, { ...before, revision, status: PENDING })
    this.#notify(key)
    return true
  }

  /** Makes the table hold exactly these rows, touching only what differs. */
  replaceAll(rows: Iterable<Row>): void {
    const keep = new Set<string>()
    for (const row of rows) {
      keep.add(this.keyOf(row))
      this.upsert(row)
    }
    for (const key of [...this.#entries.keys()]) if (!keep.has(key)) this.delete(key)
  }

  /**
   * From now on deleted rows are kept until forgetDeleted(): the table's one reconciler asks for
   * it.
   */
  keepDeletions(): void {
    this.#keepsDeletions = true
  }

  /** True when a reconciler makes the rows true: only then does a row's status say anything. */
  get reconciled(): boolean {
    return this.#keepsDeletions
  }

  /** Rows whose deletion is not yet carried out. */
  deleted(): IterableIterator<Entry<Row>> {
    return this.#deleted.values()
  }

  /**
   * The row as it was, while its deletion waits to be carried out; its status is the deletion's.
   */
  deletedEntry(key: string): Entry<Row> | undefined {
    return this.#deleted.get(key)
  }

  /** True while the row's deletion waits to be carried out. */
  isDeleted(key: string): boolean {
    return this.#deleted.has(key)
  }

  /** Forgets a deletion once it has been carried out. */
  forgetDeleted(key: string): void {
    this.#deleted.delete(key)
  }

  /**
   * Writes the status of a row or of a deletion, unless it changed since `revision`. Wakes nobody.
   */
  setStatus(key: string, revision: number, status: Status): void {
    for (const entries of [this.#entries, this.#deleted]) {
      const entry = entries.get(key)
      if (entry?.revision === revision) entries.set(key, { ...entry, status })
    }
  }

  /** Adds an index: rows by each of the keys that `keysOf` gives. */
  addIndex(name: string, keysOf: (row: Row) => Iterable<string>): void {
    this.#indices.set(name, { keysOf, keys: new Multimap() })
    for (const { key, row } of this.#entries.values()) this.#index(key, row, name)
  }

  /** Rows under one key of an index, in no particular order. */
  *byIndex(name: string, indexKey: string): IterableIterator<Row> {
    const index = this.#indices.get(name)
    if (!index) throw new Error(`Cannot read index ${name} of ${this.name}: there is none`)
    for (const key of index.keys.get(indexKey)) {
      const row = this.get(key)
      if (row) yield row
    }
  }

  /**
   * Calls back synchronously after every change with the key of the row; returns the way to stop.
   */
  subscribe(listener: (key: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #notify(key: string): void {
    for (const listener of this.#listeners) listener(key)
  }

  #index(key: string, row: Row, only?: string): void {
    for (const [name, index] of this.#indices) {
      if (only !== undefined && name !== only) continue
      for (const indexKey of index.keysOf(row)) index.keys.add(indexKey, key)
    }
  }

  #unindex(key: string, row: Row): void {
    for (const index of this.#indices.values()) {
      for (const indexKey of index.keysOf(row)) index.keys.delete(indexKey, key)
    }
  }
}

/**
 * Rows are plain JSON-like values, so structural equality is enough; a property that is undefined
 * counts as absent. Runs for every row of every round: no allocation.
 */
function sameRow(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) return sameArray(a, b)
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  let surplus = 0
  for (const name in left) {
    if (left[name] === undefined) continue
    if (!Object.hasOwn(right, name) || !sameRow(left[name], right[name])) return false
    surplus++
  }
  for (const name in right) if (right[name] !== undefined) surplus--
  return surplus === 0
}

function sameArray(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!sameRow(a[i], b[i])) return false
  return true
}
