// A map whose values are held twice, by generation: the half that programs do not read is written,
// the generation is flipped, then the other half is made equal. So any number of changes, in
// several maps, comes into force at once.
import { type Prefix, prefixAddress, prefixLength, prefixOf } from '../net/prefix.ts'
import { type EntryMap, sameFields } from './entry-map.ts'
import * as layout from './layout.gen.ts'
import { cidrKeyOf, cidrPrefixOf } from './policy-layout.ts'

/** One value of a pair; undefined: it is not there. */
export type Halves<V> = readonly [V | undefined, V | undefined]

export interface PairShape<K, V, Pair> {
  readonly map: EntryMap<K, Pair>
  readonly keyOf: (text: string) => K
  readonly textOf: (key: K) => string
  readonly join: (halves: Halves<V>) => Pair
  readonly split: (pair: Pair) => Halves<V>
  readonly same: (a: V, b: V) => boolean
  /**
   * What to write into the half in which a key is absent while the other half needs the entry.
   * Default: undefined.
   */
  readonly standIn?: (text: string, lookup: (text: string) => V | undefined) => V | undefined
}

export type Changes<V> = ReadonlyMap<string, V | undefined>

export class PairTable<V, K = unknown, Pair = unknown> {
  readonly #shape: PairShape<K, V, Pair>
  readonly #held = new Map<string, V>()
  #staged = new Map<string, V | undefined>()
  #uneven = new Map<string, V | undefined>()

  constructor(shape: PairShape<K, V, Pair>) {
    this.#shape = shape
  }

  /** As it is in force; keys are text. */
  get held(): ReadonlyMap<string, V> {
    return this.#held
  }

  /** What the map says is in force: as held, unless somebody else has written. */
  read(generation: number): Map<string, V> {
    const { map, textOf, split } = this.#shape
    const found = new Map<string, V>()
    for (const [key, pair] of map.entries()) {
      const value = split(pair)[generation & 1]
      if (value !== undefined) found.set(textOf(key), value)
    }
    return found
  }

  /** Reads what is in force and makes the other half equal to it, as after a crash. */
  restore(generation: number): void {
    const { map, textOf, split, same } = this.#shape
    this.#held.clear()
    this.#staged.clear()
    this.#uneven.clear()
    for (const [key, pair] of map.entries()) {
      const halves = split(pair)
      const value = halves[generation & 1]
      const other = halves[(generation & 1) ^ 1]
      const text = textOf(key)
      if (value !== undefined) this.#held.set(text, value)
      if (value === undefined || other === undefined || !same(value, other)) {
        this.#uneven.set(text, value)
      }
    }
    this.equalise()
  }

  /** Of these wishes, those that differ from what is in force. */
  changesOf(wishes: Changes<V>): Map<string, V | undefined> {
    const changes = new Map<string, V | undefined>()
    for (const [text, value] of wishes) {
      const held = this.#held.get(text)
      const same =
        held === undefined || value === undefined ? held === value : this.#shape.same(held, value)
      if (!same) changes.set(text, value)
    }
    return changes
  }

  /** Writes into the half that is not in force. Failures by key; the rest stands. */
  stage(changes: Changes<V>, generation: number): Map<string, Error> {
    const { map, keyOf, join, standIn } = this.#shape
    const texts = [...changes.keys()]
    const after = (text: string) => (changes.has(text) ? changes.get(text) : this.#held.get(text))
    const before = (text: string) => this.#held.get(text)
    const entries = texts.map((text) => {
      const was = before(text) ?? standIn?.(text, before)
      const is = after(text) ?? standIn?.(text, after)
      return [keyOf(text), join(generation & 1 ? [is, was] : [was, is])] as const
    })
    const failed = map.updateMany(entries)
    const failures = new Map<string, Error>()
    texts.forEach((text, at) => {
      const error = failed.get(at)
      if (error) failures.set(text, error)
      else this.#staged.set(text, changes.get(text))
    })
    return failures
  }

  get hasStaged(): boolean {
    return this.#staged.size > 0
  }

  /** The generation has been flipped: what was staged is in force. */
  commit(): void {
    for (const [text, value] of this.#staged) {
      if (value === undefined) this.#held.delete(text)
      else this.#held.set(text, value)
    }
    this.#uneven = this.#staged
    this.#staged = new Map()
  }

  /** Makes both halves of what changed equal, once no program reads the old one. */
  equalise(): void {
    const { map, keyOf, join } = this.#shape
    const gone: K[] = []
    const entries: (readonly [K, Pair])[] = []
    for (const [text, value] of this.#uneven) {
      if (value === undefined) gone.push(keyOf(text))
      else entries.push([keyOf(text), join([value, value])])
    }
    this.#uneven = new Map()
    // An update of an entry that is there cannot fail for want of room.
    map.updateMany(entries)
    map.deleteMany(gone)
  }
}

export type IdentityMap = EntryMap<layout.IdentityKey, layout.IdentityPair>
export type CidrMap = EntryMap<layout.CidrKey, layout.IdentityPair>
export type PodPolicyMap = EntryMap<layout.IdentityKey, layout.EndpointPolicyPair>

const NUMBERS = {
  join: ([a = 0, b = 0]: Halves<number>): layout.IdentityPair => ({ identity: [a, b] }),
  split: ({ identity: [a = 0, b = 0] }: layout.IdentityPair): Halves<number> => [
    a === 0 ? undefined : a,
    b === 0 ? undefined : b,
  ],
  same: (a: number, b: number) => a === b,
} as const

export function identityTable(map: IdentityMap) {
  return new PairTable<number, layout.IdentityKey, layout.IdentityPair>({
    map,
    keyOf: (text) => ({ address: text as layout.IdentityKey['address'] }),
    textOf: ({ address }) => address,
    ...NUMBERS,
  })
}

/** A prefix that is there for one half only would hide the shorter ones from the other. */
export function cidrTable(map: CidrMap) {
  return new PairTable<number, layout.CidrKey, layout.IdentityPair>({
    map,
    keyOf: (text) => cidrKeyOf(text as Prefix),
    textOf: cidrPrefixOf,
    ...NUMBERS,
    standIn: (text, lookup) => {
      const prefix = text as Prefix
      for (let length = prefixLength(prefix) - 1; length >= 0; length--) {
        const value = lookup(prefixOf(prefixAddress(prefix), length))
        if (value !== undefined) return value
      }
      return undefined
    },
  })
}

const NOTHING: layout.EndpointPolicy = { ingressPolicy: 0, egressPolicy: 0, flags: 0 }

export function podPolicyTable(map: PodPolicyMap) {
  return new PairTable<layout.EndpointPolicy, layout.IdentityKey, layout.EndpointPolicyPair>({
    map,
    keyOf: (text) => ({ address: text as layout.IdentityKey['address'] }),
    textOf: ({ address }) => address,
    join: ([a = NOTHING, b = NOTHING]) => ({ of: [a, b] }),
    split: ({ of }) => [present(of[0]), present(of[1])],
    same: sameFields,
  })
}

function present(half: layout.EndpointPolicy | undefined): layout.EndpointPolicy | undefined {
  const isPresent = half && half.flags & layout.EndpointPolicyFlags.PRESENT
  return isPresent ? half : undefined
}
