// The prefixes that rules name. An address belongs to the longest of them that holds it, its class;
// a block covers a class or does not, for its own prefix and its exceptions are all among them.
import { type Address, addressFamily, addressToNumber, type Family } from '../../net/address.ts'
import { type Prefix, prefixAddress, prefixFamily, prefixLength } from '../../net/prefix.ts'

const EVERYTHING4 = '0.0.0.0/0' as Prefix

interface Range {
  readonly prefix: Prefix
  readonly family: Family
  readonly length: number
  readonly base: bigint
}

export interface Block {
  readonly prefix: Prefix
  readonly except: readonly Prefix[]
}

export class PrefixClasses {
  readonly #ranges = new Map<Prefix, { readonly range: Range; uses: number }>()
  /** By family, length and the first bits. */
  readonly #byBits = new Map<Family, Map<number, Map<bigint, Prefix>>>()

  /** Registers a block for one user; gives the prefixes that are new. */
  add(block: Block): Prefix[] {
    return prefixesOf(block).filter((prefix) => {
      const known = this.#ranges.get(prefix)
      if (known) {
        known.uses++
        return false
      }
      const range = rangeOf(prefix)
      this.#ranges.set(prefix, { range, uses: 1 })
      this.#of(range).set(range.base, prefix)
      return true
    })
  }

  /** The opposite; gives the prefixes that nobody uses any more. */
  remove(block: Block): Prefix[] {
    return prefixesOf(block).filter((prefix) => {
      const known = this.#ranges.get(prefix)
      if (!known || --known.uses > 0) return false
      this.#ranges.delete(prefix)
      const { family, length, base } = known.range
      const ofLength = this.#of(known.range)
      ofLength.delete(base)
      if (ofLength.size === 0) this.#byBits.get(family)?.delete(length)
      return true
    })
  }

  prefixes(): IterableIterator<Prefix> {
    return this.#ranges.keys()
  }

  /** The longest registered prefix that holds the address. */
  classOf(address: Address): Prefix | undefined {
    const lengths = this.#byBits.get(addressFamily(address))
    if (!lengths || lengths.size === 0) return undefined
    const value = addressToNumber(address)
    const width = address.includes(':') ? 128 : 32
    let best = -1
    let found: Prefix | undefined
    for (const [length, bases] of lengths) {
      if (length < best) continue
      const bits = BigInt(width - length)
      const prefix = bases.get((value >> bits) << bits)
      if (prefix === undefined) continue
      best = length
      found = prefix
    }
    return found
  }

  /** The classes that a block covers: inside its prefix and inside none of its exceptions. */
  covered({ prefix, except }: Block): Prefix[] {
    const whole = rangeOf(prefix)
    const holes = except.map(rangeOf)
    const found: Prefix[] = []
    for (const { range } of this.#ranges.values()) {
      if (holds(whole, range) && !holes.some((hole) => holds(hole, range))) {
        found.push(range.prefix)
      }
    }
    return found
  }

  #of({ family, length }: Range): Map<bigint, Prefix> {
    const lengths = this.#byBits.get(family) ?? new Map<number, Map<bigint, Prefix>>()
    this.#byBits.set(family, lengths)
    const bases = lengths.get(length) ?? new Map<bigint, Prefix>()
    lengths.set(length, bases)
    return bases
  }
}

/**
 * The datapath has one trie, where IPv4 lies inside ::/0; so a prefix of IPv6 around it is cut off
 * by one for all of IPv4.
 */
function prefixesOf({ prefix, except }: Block): readonly Prefix[] {
  const all = new Set([prefix, ...except])
  if ([...all].some(holdsMapped)) all.add(EVERYTHING4)
  return [...all]
}

const MAPPED = 0xffff_0000_0000n

function holdsMapped(prefix: Prefix): boolean {
  if (prefixFamily(prefix) === 4 || prefixLength(prefix) > 96) return false
  const bits = BigInt(128 - prefixLength(prefix))
  return addressToNumber(prefixAddress(prefix)) >> bits === MAPPED >> bits
}

const ranges = new Map<Prefix, Range>()
const RANGES_KEPT = 10_000

function rangeOf(prefix: Prefix): Range {
  let range = ranges.get(prefix)
  if (!range) {
    if (ranges.size >= RANGES_KEPT) ranges.clear()
    const base = addressToNumber(prefixAddress(prefix))
    range = { prefix, family: prefixFamily(prefix), length: prefixLength(prefix), base }
    ranges.set(prefix, range)
  }
  return range
}

function holds(outer: Range, inner: Range): boolean {
  if (outer.family !== inner.family || inner.length < outer.length) return false
  const bits = BigInt((outer.family === 4 ? 32 : 128) - outer.length)
  return inner.base >> bits === outer.base >> bits
}
