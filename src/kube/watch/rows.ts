// One kind's objects into its table. An object that cannot be used keeps the row it had and is
// reported by name; a list takes away what it does not contain, at its end and not before.
import type { Table } from '../../state/table.ts'
import { ObjectError } from '../fields.ts'
import type { Kind } from '../kinds.ts'
import { isClusterScoped } from '../metadata.ts'
import type { SourceProblem } from '../source.ts'
import { Compactor } from './compact.ts'
import { GarbledError } from './errors.ts'

/** Who an object is and how new. */
export interface Identity {
  /** As the table's keys: "namespace/name", or the name alone. */
  readonly key: string
  readonly resourceVersion: string
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

/** Throws GarbledError: an object that nobody can name cannot even be reported. */
export function identify(kind: string, object: unknown): Identity {
  const { metadata } = (object ?? {}) as { metadata?: Record<string, unknown> }
  const { name, namespace, resourceVersion } = metadata ?? {}
  if (typeof name !== 'string' || !NAME.test(name)) throw new GarbledError(`a ${kind} without name`)
  if (typeof resourceVersion !== 'string' || resourceVersion === '') {
    throw new GarbledError(`${kind} ${name} without resourceVersion`)
  }
  if (isClusterScoped(kind)) return { key: name, resourceVersion }
  if (typeof namespace !== 'string' || !NAME.test(namespace)) {
    throw new GarbledError(`${kind} ${name} without namespace`)
  }
  return { key: `${namespace}/${name}`, resourceVersion }
}

export class KindRows {
  readonly #kind: Kind
  readonly #table: Table<object>
  readonly #compactor: Compactor
  readonly #errors = new Map<string, string>()
  readonly #notes = new Map<string, readonly string[]>()
  /** Keys that the list in progress has given. */
  #listed: Set<string> | undefined

  constructor(kind: Kind, table: Table<object>, compactor = new Compactor()) {
    this.#kind = kind
    this.#table = table
    this.#compactor = compactor
  }

  put(key: string, object: unknown): void {
    this.#listed?.add(key)
    this.#notes.delete(key)
    try {
      const { row, notes = [] } = this.#kind.convert(object as never)
      this.#errors.delete(key)
      if (notes.length > 0) this.#notes.set(key, notes)
      if (row) this.#table.upsert(this.#compactor.compact(row))
      else this.#table.delete(key)
    } catch (error) {
      if (!(error instanceof ObjectError)) throw error
      this.#errors.set(key, error.message)
    }
  }

  remove(key: string): void {
    this.#listed?.delete(key)
    this.#errors.delete(key)
    this.#notes.delete(key)
    this.#table.delete(key)
  }

  /** Begins a list, also over one that was begun and not ended. */
  beginList(): void {
    this.#listed = new Set()
  }

  /** The list is complete: what it did not contain goes. */
  endList(): void {
    const listed = this.#listed ?? new Set()
    this.#listed = undefined
    for (const { key } of [...this.#table.entries()]) if (!listed.has(key)) this.#table.delete(key)
    for (const kept of [this.#errors, this.#notes]) {
      for (const key of kept.keys()) if (!listed.has(key)) kept.delete(key)
    }
    this.#table.markInitialized()
  }

  /** Rows held. */
  get count(): number {
    return this.#table.size
  }

  /** Names of the objects that cannot be used. */
  badObjects(): readonly string[] {
    return [...this.#errors.keys()]
  }

  problems(): { errors: readonly SourceProblem[]; notes: readonly SourceProblem[] } {
    return {
      errors: [...this.#errors.values()].map((message) => ({ where: '', message })),
      notes: [...this.#notes.values()].flat().map((message) => ({ where: '', message })),
    }
  }
}
