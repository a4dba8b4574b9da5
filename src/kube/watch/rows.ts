// One kind's objects into its table. An object that cannot be used keeps the row it had and is
// reported by name; a list takes away what it does not contain, at its end and not before.
import type { Table } from '../../state/table.ts'
import type { Condition } from '../conditions.ts'
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

/** What is wrong with an object. */
interface Fault {
  readonly uid: string
  /** It cannot be used. */
  readonly error?: string
  /** It is used, but for these. */
  readonly notes: readonly string[]
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
  readonly #faults = new Map<string, Fault>()
  /** Keys that the list in progress has given. */
  #listed: Set<string> | undefined

  constructor(kind: Kind, table: Table<object>, compactor = new Compactor()) {
    this.#kind = kind
    this.#table = table
    this.#compactor = compactor
  }

  put(key: string, object: unknown): void {
    this.#listed?.add(key)
    this.#faults.delete(key)
    try {
      const { row, notes = [] } = this.#kind.convert(object as never)
      if (notes.length > 0) this.#faults.set(key, { uid: uidOf(object), notes })
      if (row) this.#table.upsert(this.#compactor.compact(row))
      else this.#table.delete(key)
    } catch (error) {
      if (!(error instanceof ObjectError)) throw error
      this.#faults.set(key, { uid: uidOf(object), error: error.message, notes: [] })
    }
  }

  remove(key: string): void {
    this.#listed?.delete(key)
    this.#faults.delete(key)
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
    for (const key of this.#faults.keys()) if (!listed.has(key)) this.#faults.delete(key)
    this.#table.markInitialized()
  }

  /** Rows held. */
  get count(): number {
    return this.#table.size
  }

  /** Names of the objects that cannot be used. */
  badObjects(): readonly string[] {
    return [...this.#faults].filter(([, { error }]) => error !== undefined).map(([key]) => key)
  }

  problems(): { errors: readonly SourceProblem[]; notes: readonly SourceProblem[] } {
    const faults = [...this.#faults.values()]
    const toProblem = (message: string): SourceProblem => ({ where: '', message })
    return {
      errors: faults.flatMap(({ error }) => error ?? []).map(toProblem),
      notes: faults.flatMap(({ notes }) => notes).map(toProblem),
    }
  }

  /** The same, for whoever looks at the object. */
  conditions(): Condition[] {
    const { apiVersion, kind } = this.#kind
    return [...this.#faults].map(([key, { uid, error, notes }]) => {
      const [name = '', namespace] = key.split('/').reverse()
      const about = {
        apiVersion,
        kind,
        ...(namespace === undefined ? {} : { namespace }),
        name,
        uid,
      }
      if (error !== undefined) return { reason: 'NotUsable', about, text: error }
      return { reason: 'NotSupported', about, text: notes.join('; ') }
    })
  }
}

function uidOf(object: unknown): string {
  const { uid } = ((object ?? {}) as { metadata?: { uid?: unknown } }).metadata ?? {}
  return typeof uid === 'string' ? uid : ''
}
