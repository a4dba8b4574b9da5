// Which identity each address of a pod has. What CNI gave to a pod of this node counts before what
// the API says of addresses: it is known first, and an address may have had another pod before.
import type { Address } from '../../net/address.ts'
import type { Table } from '../../state/table.ts'
import type { Pod } from '../../tables/intent.ts'
import { type AddressIdentity, IDENTITY } from '../../tables/policy.ts'
import { drop, type Identities, put } from './identities.ts'
import type { PrefixClasses } from './prefixes.ts'

export interface AddressParts {
  readonly pods: Table<Pod>
  readonly output: Table<AddressIdentity>
  readonly identities: Identities
  readonly classes: PrefixClasses
  /** The pod of this node that has the address; null: it has one, of which no row is known. */
  readonly localPod: (address: Address) => Pod | null | undefined
}

export class Addresses {
  readonly #parts: AddressParts
  /** What each pod was last known to have. */
  readonly #ofPod = new Map<string, readonly Address[]>()
  /** The pod that has it, or several during a change. */
  readonly #owners = new Map<Address, string | Set<string>>()
  readonly #dirty = new Set<Address>()

  constructor(parts: AddressParts) {
    this.#parts = parts
  }

  /** A pod came, changed or went. */
  touchPod(key: string): void {
    const pod = this.#parts.pods.get(key)
    const now = pod && !pod.hostNetwork ? pod.addresses : []
    for (const address of this.#ofPod.get(key) ?? []) {
      if (!now.includes(address)) this.#disown(address, key)
      this.#dirty.add(address)
    }
    for (const address of now) {
      this.#own(address, key)
      this.#dirty.add(address)
    }
    if (now.length > 0) this.#ofPod.set(key, now)
    else this.#ofPod.delete(key)
  }

  touch(address: Address): void {
    this.#dirty.add(address)
  }

  /** All that are known and that `concerns`. */
  touchWhere(concerns: (address: Address) => boolean): void {
    for (const address of this.#owners.keys()) if (concerns(address)) this.#dirty.add(address)
  }

  /** Without policies nobody asks who somebody is. */
  clear(): void {
    this.#ofPod.clear()
    this.#owners.clear()
    const { output, identities } = this.#parts
    for (const { address, identity } of [...output.rows()]) {
      const held = identities.byNumber(identity)
      if (held) identities.release(held, address)
      output.delete(address)
    }
    this.#dirty.clear()
  }

  /** Gives every touched address its identity. */
  settle(): void {
    const { output, identities, classes } = this.#parts
    for (const address of this.#dirty) {
      const pod = this.#podOf(address)
      const before = identities.byNumber(output.get(address)?.identity ?? 0)
      // Held before the other is released, so that one that stays is not made anew.
      const now = pod ? identities.hold(address, pod, classes.classOf(address)) : undefined
      if (before) identities.release(before, address)
      if (now) {
        if (now !== before) output.upsert({ address, identity: now.number })
      } else if (pod === null) output.upsert({ address, identity: IDENTITY.unknownPod })
      else output.delete(address)
    }
    this.#dirty.clear()
  }

  #podOf(address: Address): Pod | null | undefined {
    const local = this.#parts.localPod(address)
    if (local !== undefined) return local
    const owners = this.#owners.get(address)
    if (owners === undefined) return undefined
    // Not by who came first: a rebuild must give the same.
    const key = typeof owners === 'string' ? owners : [...owners].sort()[0]
    return key === undefined ? undefined : this.#parts.pods.get(key)
  }

  #own(address: Address, key: string): void {
    const owners = this.#owners.get(address)
    if (owners === undefined || owners === key) this.#owners.set(address, key)
    else if (typeof owners === 'string') this.#owners.set(address, new Set([owners, key]))
    else owners.add(key)
  }

  #disown(address: Address, key: string): void {
    const owners = this.#owners.get(address)
    if (owners === key) this.#owners.delete(address)
    if (typeof owners !== 'object') return
    owners.delete(key)
    const [last] = owners
    if (owners.size === 1 && last !== undefined) this.#owners.set(address, last)
  }
}

/** Endpoints of this node by what they are asked for. */
export class LocalIndex<Local> {
  readonly byNamespace = new Map<string, Set<Local>>()
  readonly byPod = new Map<string, Set<Local>>()
  readonly byAddress = new Map<Address, Local>()

  add(local: Local, at: { namespace: string; pod: string; addresses: readonly Address[] }): void {
    put(this.byNamespace, at.namespace, local)
    put(this.byPod, at.pod, local)
    for (const address of at.addresses) this.byAddress.set(address, local)
  }

  delete(
    local: Local,
    at: { namespace: string; pod: string; addresses: readonly Address[] },
  ): void {
    drop(this.byNamespace, at.namespace, local)
    drop(this.byPod, at.pod, local)
    for (const address of at.addresses) {
      if (this.byAddress.get(address) === local) this.byAddress.delete(address)
    }
  }
}
