// Which identity each address of a pod has. What CNI gave to a pod of this node counts before what
// the API says of addresses: it is known first, and an address may have had another pod before.
import type { Address } from '../../net/address.ts'
import type { Table } from '../../state/table.ts'
import type { Pod } from '../../tables/intent.ts'
import { type AddressIdentity, IDENTITY } from '../../tables/policy.ts'
import {
  type ChangedWords,
  drop,
  type Identities,
  type Identity,
  type Making,
  put,
} from './identities.ts'
import type { PrefixClasses } from './prefixes.ts'

export interface AddressParts {
  readonly pods: Table<Pod>
  readonly output: Table<AddressIdentity>
  readonly identities: Identities
  readonly classes: PrefixClasses
  /** The pod of this node that has the address; null: it has one, of which no row is known. */
  readonly localPod: (address: Address) => Pod | null | undefined
}

/** An address and what it is to have; null: it is a pod's of which no row is known. */
interface Move {
  readonly address: Address
  readonly before: Identity | undefined
  readonly to: Making | null | undefined
}

/** How many addresses leave an identity, and where to. */
interface Leaving {
  count: number
  readonly byKey: Map<string, { readonly making: Making; count: number }>
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

  /** Rules ask for other words of the pod. */
  touchWords(key: string): void {
    for (const address of this.#ofPod.get(key) ?? []) this.#dirty.add(address)
  }

  touch(address: Address): void {
    this.#dirty.add(address)
  }

  touchNamespace(namespace: string): void {
    const start = `${namespace}/`
    for (const [key, addresses] of this.#ofPod) {
      if (key.startsWith(start)) for (const address of addresses) this.#dirty.add(address)
    }
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

  /**
   * Gives every touched address its identity. `areClassesNew`: other prefixes may hold it now. An
   * identity that all its addresses leave goes on as most of them, where nothing but these words
   * and classes makes the difference: then what is known of it stays true.
   */
  settle(words: ChangedWords, areClassesNew: boolean): void {
    const { output, identities } = this.#parts
    const moves: Move[] = []
    for (const address of this.#dirty) {
      const move = this.#moveOf(address, areClassesNew)
      if (move) moves.push(move)
    }
    this.#dirty.clear()
    const leaving = [...leavingOf(moves)].sort(([, a], [, b]) => b.count - a.count)
    for (const [identity, { count, byKey }] of leaving) {
      if (count < identity.count4 + identity.count6) continue
      const [most] = [...byKey.values()].sort((a, b) => b.count - a.count)
      if (most) identities.remake(identity, most.making, words)
    }
    for (const { address, before, to } of moves) {
      if (before && before.key === to?.key) continue
      // Held before the other is released, so that one that stays is not made anew.
      const now = to && identities.hold(address, to)
      if (before) identities.release(before, address)
      if (now) output.upsert({ address, identity: now.number })
      else if (to === null) output.upsert({ address, identity: IDENTITY.unknownPod })
      else output.delete(address)
    }
  }

  /** Undefined: it has what it should. */
  #moveOf(address: Address, areClassesNew: boolean): Move | undefined {
    const { output, identities, classes } = this.#parts
    const before = identities.byNumber(output.get(address)?.identity ?? 0)
    const pod = this.#podOf(address)
    if (!pod) return { address, before, to: pod }
    const prefix = before && !areClassesNew ? before.prefix : classes.classOf(address)
    const to = identities.makingOf(pod, prefix)
    return before?.key === to.key ? undefined : { address, before, to }
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

function leavingOf(moves: readonly Move[]): Map<Identity, Leaving> {
  const all = new Map<Identity, Leaving>()
  for (const { before, to } of moves) {
    if (!before || !to) continue
    const leaving = all.get(before) ?? { count: 0, byKey: new Map() }
    if (leaving.count++ === 0) all.set(before, leaving)
    const group = leaving.byKey.get(to.key)
    if (group) group.count++
    else leaving.byKey.set(to.key, { making: to, count: 1 })
  }
  return all
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
