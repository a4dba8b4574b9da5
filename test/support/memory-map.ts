// A fake of datapath's EntryMap: the same behaviour without a kernel, with faults as verbs.
import type { EntryMap } from '../../src/datapath/entry-map.ts'

export class MemoryMap<K, V> implements EntryMap<K, V> {
  readonly name: string
  maxEntries: number
  /** Every write and delete in order: "update KEY", "delete KEY". */
  readonly journal: string[] = []
  readonly #entries = new Map<string, readonly [K, V]>()

  constructor(name: string, maxEntries = 65_536) {
    this.name = name
    this.maxEntries = maxEntries
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: K): V | undefined {
    return this.#entries.get(JSON.stringify(key))?.[1]
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    return keys.map((key) => this.get(key))
  }

  entries(): Iterable<readonly [K, V]> {
    return [...this.#entries.values()]
  }

  keys(): Iterable<K> {
    return [...this.#entries.values()].map(([key]) => key)
  }

  updateMany(entries: readonly (readonly [K, V])[]): ReadonlyMap<number, Error> {
    const failures = new Map<number, Error>()
    entries.forEach(([key, value], at) => {
      const text = JSON.stringify(key)
      if (!this.#entries.has(text) && this.#entries.size >= this.maxEntries) {
        const full = `map is full (${this.maxEntries} entries)`
        failures.set(at, new Error(`Cannot update map ${this.name}: ${full}`))
        return
      }
      this.journal.push(`update ${this.name} ${text}`)
      this.#entries.set(text, [key, value])
    })
    return failures
  }

  deleteMany(keys: readonly K[]): void {
    for (const key of keys) {
      const text = JSON.stringify(key)
      if (this.#entries.delete(text)) this.journal.push(`delete ${this.name} ${text}`)
    }
  }
}
