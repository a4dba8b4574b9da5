// Rows that share what is equal: thousands of pods have few different label sets, node names and
// zones, and each copy costs as much as the rest of the row. Two generations bound the memory.

const GENERATION = 4096

/** Properties whose values are few among many rows. */
const SHARED = new Set([
  ...['namespace', 'nodeName', 'zone', 'service', 'protocol', 'labels', 'ports'],
  ...['hintedZones', 'hintedNodes'],
])

class Shares {
  #young = new Map<string, unknown>()
  #old = new Map<string, unknown>()

  /** The value first seen under this key, unless it was long ago. */
  share<T>(key: string, value: T): T {
    const known = this.#young.get(key) ?? this.#old.get(key) ?? value
    if (!this.#young.has(key)) {
      if (this.#young.size >= GENERATION) {
        this.#old = this.#young
        this.#young = new Map()
      }
      this.#young.set(key, known)
    }
    return known as T
  }
}

/** Makes rows share what they have in common with rows compacted before. */
export class Compactor {
  readonly #shares = new Shares()

  /** The same row, which nobody else has seen yet. */
  compact<Row extends object>(row: Row): Row {
    const parts = row as Record<string, unknown>
    for (const name in parts) {
      if (SHARED.has(name)) parts[name] = this.#share(parts[name])
      else if (name === 'endpoints') for (const each of parts[name] as object[]) this.compact(each)
    }
    return row
  }

  #share(value: unknown): unknown {
    if (typeof value === 'string') return this.#shares.share(value, value)
    // An empty list is one already: kube/ has a single one for all.
    if (Array.isArray(value) && value.length === 0) return value
    return this.#shares.share(JSON.stringify(value), value)
  }
}
