// Pod addresses of this node, from its own podCIDRs. Next-fit: the search goes on after the
// address given last, so that a freed one is not reused while caches still name its old pod.
import {
  type Address,
  addressFamily,
  addressFromNumber,
  addressToNumber,
  type Family,
} from '../net/address.ts'
import {
  type Prefix,
  prefixAddress,
  prefixContains,
  prefixFamily,
  prefixSize,
} from '../net/prefix.ts'
import { CniError, CODE } from './error.ts'

/** podCIDR -> the address given last. */
export type Cursors = Readonly<Record<string, string>>

export class AddressPool {
  readonly #used: Record<Family, Set<bigint>> = { 4: new Set(), 6: new Set() }
  readonly #cursors = new Map<string, bigint>()

  /** Where the search of each podCIDR goes on, for the disk. */
  get cursors(): Cursors {
    const entries = [...this.#cursors].map(([cidr, at]) => [
      cidr,
      addressFromNumber(at, prefixFamily(cidr as Prefix)),
    ])
    return Object.fromEntries(entries)
  }

  restoreCursors(cursors: Cursors): void {
    for (const [cidr, address] of Object.entries(cursors)) {
      this.#cursors.set(cidr, addressToNumber(address as Address))
    }
  }

  /** Marks addresses that an endpoint holds already, whether or not a podCIDR still covers them. */
  claim(addresses: readonly Address[]): void {
    for (const address of addresses) this.#usedLike(address).add(addressToNumber(address))
  }

  release(addresses: readonly Address[]): void {
    for (const address of addresses) this.#usedLike(address).delete(addressToNumber(address))
  }

  isUsed(address: Address): boolean {
    return this.#usedLike(address).has(addressToNumber(address))
  }

  /**
   * One address for each family that the podCIDRs have, in their order; `wished` ones are taken as
   * asked. All or nothing: throws CniError (11 exhausted, 7 wish outside or taken) with nothing
   * allocated.
   */
  allocate(podCidrs: readonly Prefix[], wished: readonly Address[] = []): Address[] {
    const families = [...new Set(podCidrs.map(prefixFamily))]
    for (const address of wished) this.#checkWish(address, podCidrs)
    const addresses: Address[] = []
    try {
      for (const family of families) {
        const wish = wished.find((address) => addressFamily(address) === family)
        const cidrs = podCidrs.filter((cidr) => prefixFamily(cidr) === family)
        const address = wish ?? this.#next(cidrs)
        this.claim([address])
        addresses.push(address)
      }
    } catch (error) {
      this.release(addresses)
      throw error
    }
    return addresses
  }

  /** Why the next allocation would fail, or undefined. */
  exhausted(podCidrs: readonly Prefix[]): string | undefined {
    for (const family of new Set(podCidrs.map(prefixFamily))) {
      const cidrs = podCidrs.filter((cidr) => prefixFamily(cidr) === family)
      if (cidrs.every((cidr) => this.#find(cidr) === undefined)) return this.#explain(cidrs)
    }
    return undefined
  }

  #next(cidrs: readonly Prefix[]): Address {
    for (const cidr of cidrs) {
      const found = this.#find(cidr)
      if (found === undefined) continue
      this.#cursors.set(cidr, found)
      return addressFromNumber(found, prefixFamily(cidr))
    }
    throw new CniError(CODE.tryAgain, `Cannot allocate an address: ${this.#explain(cidrs)}`)
  }

  #find(cidr: Prefix): bigint | undefined {
    const { first, last } = podRange(cidr)
    const after = this.#cursors.get(cidr) ?? first - 1n
    return nextFree(this.#used[prefixFamily(cidr)], { first, last, after })
  }

  #explain(cidrs: readonly Prefix[]): string {
    const texts = cidrs.map((cidr) => {
      const { first, last } = podRange(cidr)
      const size = last >= first ? last - first + 1n : 0n
      let used = 0
      for (const at of this.#used[prefixFamily(cidr)]) if (at >= first && at <= last) used++
      return `podCIDR ${cidr} has ${size} pod addresses and ${used} are in use`
    })
    return texts.join('; ')
  }

  #checkWish(address: Address, podCidrs: readonly Prefix[]): void {
    const cidr = podCidrs.find((candidate) => prefixContains(candidate, address))
    const at = addressToNumber(address)
    const range = cidr && podRange(cidr)
    if (!range || at < range.first || at > range.last) {
      const text = `it is no pod address of this node's podCIDRs ${podCidrs.join(', ')}`
      throw new CniError(CODE.config, `Cannot use address ${address}: ${text}`)
    }
    if (this.isUsed(address)) {
      throw new CniError(CODE.config, `Cannot use address ${address}: another endpoint has it`)
    }
  }

  #usedLike(address: Address): Set<bigint> {
    return this.#used[addressFamily(address)]
  }
}

/**
 * What pods may have: not the base, not the gateway after it, and not the broadcast address of
 * IPv4.
 */
function podRange(cidr: Prefix): { first: bigint; last: bigint } {
  const base = addressToNumber(prefixAddress(cidr))
  const end = base + prefixSize(cidr)
  return { first: base + 2n, last: prefixFamily(cidr) === 4 ? end - 2n : end - 1n }
}

/**
 * The first free number after `after`, wrapping within first..last; undefined when all are used.
 * Among used.size + 1 numbers one is free, so the search ends soon also in a /64.
 */
export function nextFree(
  used: ReadonlySet<bigint>,
  { first, last, after }: { first: bigint; last: bigint; after: bigint },
): bigint | undefined {
  if (last < first) return undefined
  const size = last - first + 1n
  const steps = size < BigInt(used.size + 1) ? size : BigInt(used.size + 1)
  let at = after < first || after >= last ? first : after + 1n
  for (let step = 0n; step < steps; step++) {
    if (!used.has(at)) return at
    at = at === last ? first : at + 1n
  }
  return undefined
}
