// Several values under one key. Most keys have one alone, for which a set would take 200 bytes: ten
// thousand Services have a slice each.

export class Multimap<K, V extends string | number> {
  readonly #values = new Map<K, V | Set<V>>()

  add(key: K, value: V): void {
    const held = this.#values.get(key)
    if (held instanceof Set) held.add(value)
    else if (held === undefined) this.#values.set(key, value)
    else if (held !== value) this.#values.set(key, new Set([held, value]))
  }

  /** The absent is fine. */
  delete(key: K, value: V): void {
    const held = this.#values.get(key)
    if (held instanceof Set) {
      held.delete(value)
      if (held.size === 0) this.#values.delete(key)
    } else if (held === value) this.#values.delete(key)
  }

  /** In order of addition. */
  get(key: K): Iterable<V> {
    const held = this.#values.get(key)
    if (held instanceof Set) return held
    return held === undefined ? [] : [held]
  }
}
