// Who may ask a service port from outside: map `source_ranges`. A wider list is written before the
// frontend that asks for it and what is left over goes afterwards, so that nobody is let in or
// kept out in between who should not be.
import {
  type Prefix,
  parsePrefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
} from '../net/prefix.ts'
import type { EntryMap } from './entry-map.ts'
import type * as layout from './layout.gen.ts'

export type SourceRangeMap = EntryMap<layout.SourceRangeKey, number>

/** Bits of the service's number, and those that an IPv4 prefix is longer by in 16 bytes. */
const NUMBER_BITS = 32
const MAPPED_BITS = 96

export class SourceRanges {
  readonly #map: SourceRangeMap
  readonly #held = new Map<number, Set<Prefix>>()

  constructor(map: SourceRangeMap) {
    this.#map = map
  }

  restore(): void {
    for (const key of this.#map.keys()) this.#of(key.serviceId).add(toPrefix(key))
  }

  has(serviceId: number): boolean {
    return this.#held.has(serviceId)
  }

  /** Adds what is missing; the error of the first that does not fit. */
  grow(serviceId: number, ranges: readonly Prefix[]): Error | undefined {
    if (ranges.length === 0) return undefined
    const held = this.#of(serviceId)
    const missing = ranges.filter((prefix) => !held.has(prefix))
    const failed = this.#map.updateMany(missing.map((prefix) => [toKey(serviceId, prefix), 1]))
    missing.forEach((prefix, at) => {
      if (!failed.has(at)) held.add(prefix)
    })
    return [...failed.values()][0]
  }

  /** Removes what is not among the ranges any more. */
  shrink(serviceId: number, ranges: readonly Prefix[]): void {
    const held = this.#held.get(serviceId)
    if (!held) return
    const extra = [...held].filter((prefix) => !ranges.includes(prefix))
    this.#map.deleteMany(extra.map((prefix) => toKey(serviceId, prefix)))
    for (const prefix of extra) held.delete(prefix)
    if (held.size === 0) this.#held.delete(serviceId)
  }

  /** Removes everything of services that are not among these, and puts back what is missing. */
  prune(wanted: ReadonlyMap<number, readonly Prefix[]>): void {
    const present = new Set<string>()
    const extra: layout.SourceRangeKey[] = []
    for (const key of this.#map.keys()) {
      const prefix = toPrefix(key)
      if (wanted.get(key.serviceId)?.includes(prefix)) present.add(`${key.serviceId} ${prefix}`)
      else extra.push(key)
    }
    this.#map.deleteMany(extra)
    this.#held.clear()
    const missing: [layout.SourceRangeKey, number][] = []
    for (const [serviceId, ranges] of wanted) {
      for (const prefix of ranges) {
        this.#of(serviceId).add(prefix)
        if (!present.has(`${serviceId} ${prefix}`)) missing.push([toKey(serviceId, prefix), 1])
      }
    }
    this.#map.updateMany(missing)
  }

  #of(serviceId: number): Set<Prefix> {
    const held = this.#held.get(serviceId) ?? new Set()
    this.#held.set(serviceId, held)
    return held
  }
}

function toKey(serviceId: number, prefix: Prefix): layout.SourceRangeKey {
  const widened = NUMBER_BITS + (prefixFamily(prefix) === 4 ? MAPPED_BITS : 0)
  return {
    prefixLength: widened + prefixLength(prefix),
    serviceId,
    address: prefixAddress(prefix),
  }
}

function toPrefix({ address, prefixLength: length }: layout.SourceRangeKey): Prefix {
  const widened = NUMBER_BITS + (address.includes(':') ? 0 : MAPPED_BITS)
  return parsePrefix(`${address}/${length - widened}`)
}
