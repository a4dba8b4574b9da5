// A kernel map in terms of values: keys and values pass through their generated codecs.
import type { BpfMap } from '../libbpf/map.ts'
import { type Codec, type MapLayout, pack } from './codec.ts'

/** A map of entries; the real one below, and a fake of the same behaviour in tests. */
export interface EntryMap<K, V> {
  readonly name: string
  readonly maxEntries: number
  get(key: K): V | undefined
  /** One native call. */
  getMany(keys: readonly K[]): (V | undefined)[]
  entries(): Iterable<readonly [K, V]>
  /** As entries(), for half the work. */
  keys(): Iterable<K>
  /** One native call. Failures by index in `entries`; the rest has been written. */
  updateMany(entries: readonly (readonly [K, V])[]): ReadonlyMap<number, Error>
  /** One native call; absent keys are fine. */
  deleteMany(keys: readonly K[]): void
}

export class KernelMap<K, V> implements EntryMap<K, V> {
  readonly name: string
  readonly #map: BpfMap
  readonly #key: Codec<K>
  readonly #value: Codec<V>

  constructor(map: BpfMap, layout: MapLayout<K, V>) {
    if (map.keySize !== layout.key.size || map.valueSize !== layout.value.size) {
      throw new Error(
        `Cannot use map ${layout.name}: its entries are ${map.keySize}+${map.valueSize} bytes, ` +
          `this agent's are ${layout.key.size}+${layout.value.size}`,
      )
    }
    this.name = layout.name
    this.#map = map
    this.#key = layout.key
    this.#value = layout.value
  }

  get maxEntries(): number {
    return this.#map.maxEntries
  }

  get(key: K): V | undefined {
    const bytes = this.#map.lookup(this.#key.toBytes(key))
    return bytes && this.#value.fromBytes(bytes)
  }

  *entries(): IterableIterator<readonly [K, V]> {
    for (const [key, value] of this.#map.entries()) {
      yield [this.#key.fromBytes(key), this.#value.fromBytes(value)]
    }
  }

  *keys(): IterableIterator<K> {
    for (const [key] of this.#map.entries()) yield this.#key.fromBytes(key)
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    if (keys.length === 0) return []
    const values = this.#map.lookupPacked(pack(this.#key, keys))
    return values.map((bytes) => bytes && this.#value.fromBytes(bytes))
  }

  updateMany(entries: readonly (readonly [K, V])[]): ReadonlyMap<number, Error> {
    if (entries.length === 0) return new Map()
    const keys = entries.map(([key]) => key)
    const values = entries.map(([, value]) => value)
    return this.#map.updatePacked(pack(this.#key, keys), pack(this.#value, values))
  }

  deleteMany(keys: readonly K[]): void {
    if (keys.length > 0) this.#map.deletePacked(pack(this.#key, keys))
  }
}

/**
 * Writes only the entries that the map does not hold yet, in one call.
 * `written` counts what changed, so that nothing needs deciding again when nothing did.
 */
export function writeChanged<K, V extends object>(
  map: EntryMap<K, V>,
  entries: readonly (readonly [K, V])[],
): { failures: ReadonlyMap<number, Error>; written: number } {
  const changed: number[] = []
  const pairs: (readonly [K, V])[] = []
  const present = map.getMany(entries.map(([key]) => key))
  entries.forEach(([key, value], at) => {
    const held = present[at]
    if (held && sameFields(held, value)) return
    changed.push(at)
    pairs.push([key, value])
  })
  const failed = map.updateMany(pairs)
  const failures = new Map([...failed].map(([at, error]) => [changed[at] ?? 0, error]))
  return { failures, written: pairs.length - failed.size }
}

/** Equality of two flat values of the same type. */
export function sameFields<T extends object>(a: T, b: T): boolean {
  const other = b as Record<string, unknown>
  return Object.entries(a).every(([name, value]) => value === other[name])
}
