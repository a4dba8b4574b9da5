// Backend sets as map `backends` holds them: written whole under a number, shared by the frontends
// of one service port, never changed, and deleted when no program can still be reading them.
import { formatAddressPort } from '../net/address.ts'
import { Multimap } from '../state/multimap.ts'
import type { Backend } from '../tables/desired.ts'
import type { EntryMap } from './entry-map.ts'
import type * as layout from './layout.gen.ts'
import { fillMaglev } from './maglev.ts'
import { Numbers } from './numbers.ts'

export type BackendMap = EntryMap<layout.BackendKey, layout.Backend>

/** What a set shall be: `serviceId` owns it, so that hits are counted by service port. */
export interface SetWish {
  readonly serviceId: number
  /** Sorted, without duplicates. */
  readonly backends: readonly Backend[]
  /** Slots of its Maglev table; 0: one slot for each backend. */
  readonly maglevSize: number
}

/** A set in the map. Number 0 is the empty one, of which the map holds nothing. */
export interface BackendSet extends SetWish {
  readonly id: number
  readonly count: number
}

export class BackendSets {
  readonly #map: BackendMap
  readonly #graceMs: number
  readonly #numbers = new Numbers()
  readonly #sets = new Map<number, { set: BackendSet; holders: number }>()
  readonly #byService = new Multimap<number, number>()
  /** By number: sets on their way out. */
  readonly #retiring = new Map<number, NodeJS.Timeout>()

  constructor(map: BackendMap, graceMs: number) {
    this.#map = map
    this.#graceMs = graceMs
  }

  /** Takes over a set that is in the map, once for each frontend that names it. */
  restore(set: BackendSet): void {
    if (set.id === 0) return
    const known = this.#sets.get(set.id)
    if (known) known.holders++
    else this.#keep(set, 1)
  }

  /** Marks a number found in the map, so that it is not given out while the old set is there. */
  reserve(id: number): void {
    this.#numbers.take(id)
  }

  /** A set of that content, held once more; isNew: it has to be written next. */
  hold(wish: SetWish): { set: BackendSet; isNew: boolean } {
    const { serviceId, backends, maglevSize } = wish
    if (backends.length === 0) return { set: { ...wish, id: 0, count: 0 }, isNew: false }
    for (const id of this.#byService.get(serviceId)) {
      const held = this.#sets.get(id)
      if (!held || !sameSet(held.set, wish)) continue
      held.holders++
      return { set: held.set, isNew: false }
    }
    const count = maglevSize || backends.length
    const set = { ...wish, id: this.#numbers.next(), count }
    this.#keep(set, 1)
    return { set, isNew: true }
  }

  /**
   * Writes new sets in one call, with the hits that the sets in whose place they come have counted
   * for the same backends. Answers the failed ones, of which nothing is left in the map.
   */
  write(sets: ReadonlyMap<BackendSet, BackendSet | undefined>): Map<BackendSet, Error> {
    const entries: [layout.BackendKey, layout.Backend][] = []
    const owners: BackendSet[] = []
    for (const [set, before] of sets) {
      for (const entry of toEntries(set, before && this.#hitsOf(before))) {
        entries.push(entry)
        owners.push(set)
      }
    }
    const failed = new Map<BackendSet, Error>()
    for (const [at, error] of this.#map.updateMany(entries)) {
      const set = owners[at]
      if (set) failed.set(set, error)
    }
    for (const set of failed.keys()) this.#map.deleteMany(keysOf(set))
    return failed
  }

  /** Lets go of a set; the last to do so retires it: it goes when no packet can still need it. */
  release({ id }: BackendSet): void {
    const held = this.#sets.get(id)
    if (!held || --held.holders > 0) return
    const { set } = held
    this.#sets.delete(id)
    this.#byService.delete(set.serviceId, id)
    const timer = setTimeout(() => {
      this.#retiring.delete(id)
      this.#map.deleteMany(keysOf(set))
      this.#numbers.free(id)
    }, this.#graceMs)
    timer.unref()
    this.#retiring.set(id, timer)
  }

  /** Puts back what is missing of held sets and removes what nobody holds. */
  repair(): void {
    const counts = new Map<number, number>()
    const orphans: layout.BackendKey[] = []
    for (const key of this.#map.keys()) {
      counts.set(key.setId, (counts.get(key.setId) ?? 0) + 1)
      if (!this.#sets.has(key.setId) && !this.#retiring.has(key.setId)) orphans.push(key)
    }
    for (const { set } of this.#sets.values()) {
      if ((counts.get(set.id) ?? 0) < set.count) this.#map.updateMany(toEntries(set))
    }
    this.#map.deleteMany(orphans)
    for (const { setId } of orphans) this.#numbers.free(setId)
  }

  /** Forgets pending deletions: the next start prunes them. */
  stop(): void {
    for (const timer of this.#retiring.values()) clearTimeout(timer)
    this.#retiring.clear()
  }

  #keep(set: BackendSet, holders: number): void {
    this.#numbers.take(set.id)
    this.#sets.set(set.id, { set, holders })
    this.#byService.add(set.serviceId, set.id)
  }

  #hitsOf(set: BackendSet): Map<string, bigint> {
    const hits = new Map<string, bigint>()
    for (const entry of this.#map.getMany(keysOf(set))) {
      if (!entry || entry.hits === 0n) continue
      const name = formatAddressPort(entry.address, entry.port)
      hits.set(name, (hits.get(name) ?? 0n) + entry.hits)
    }
    return hits
  }
}

/** What has been counted goes to a backend's first slot. */
function toEntries(
  set: BackendSet,
  hits = new Map<string, bigint>(),
): [layout.BackendKey, layout.Backend][] {
  return slotsOf(set).map(({ address, port }, slot) => {
    const name = hits.size > 0 ? formatAddressPort(address, port) : ''
    const counted = hits.get(name) ?? 0n
    hits.delete(name)
    return [
      { setId: set.id, slot },
      { address, port, hits: counted },
    ]
  })
}

function slotsOf({ backends, maglevSize }: SetWish): readonly Backend[] {
  return maglevSize > 0 ? fillMaglev(backends, maglevSize) : backends
}

function keysOf({ id, count }: BackendSet): layout.BackendKey[] {
  return Array.from({ length: count }, (_, slot) => ({ setId: id, slot }))
}

function sameSet(a: SetWish, b: SetWish): boolean {
  if (a.maglevSize !== b.maglevSize) return false
  if (a.maglevSize === 0 || a.backends === b.backends) return sameBackends(a.backends, b.backends)
  // Of a table that was restored the order is that of its slots.
  return sameBackends(sorted(a.backends), sorted(b.backends))
}

function sorted(backends: readonly Backend[]): Backend[] {
  const name = ({ address, port }: Backend): string => formatAddressPort(address, port)
  return [...backends].sort((a, b) => (name(a) < name(b) ? -1 : 1))
}

function sameBackends(a: readonly Backend[], b: readonly Backend[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  return a.every(({ address, port }, at) => address === b[at]?.address && port === b[at]?.port)
}
