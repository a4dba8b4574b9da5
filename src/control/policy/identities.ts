// Identities: pods that no rule can tell apart share a number. What can tell them apart: the
// namespace, labels that some rule asks for, ports whose names some rule asks for, and the
// narrowest prefix of a rule that holds the address.
import type { Address } from '../../net/address.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { NamedPort, Pod } from '../../tables/intent.ts'
import { IDENTITY, type Selector } from '../../tables/policy.ts'
import type { Labels } from './selectors.ts'

export interface Identity {
  readonly number: number
  readonly key: string
  readonly namespace: string
  /** Those that rules ask for. */
  readonly labels: Labels
  readonly ports: readonly NamedPort[]
  readonly prefix: Prefix | undefined
  /** How many addresses have it. */
  count4: number
  count6: number
  /** Peers of rules that mean it. */
  peers: ReadonlySet<Peer>
}

/** A selector of pods, as some rules have it, and whom it means. */
export interface Peer {
  readonly key: string
  /** Of which the pods must be; absent: of those that `namespaces` selects. */
  readonly namespace: string | undefined
  readonly namespaces: Selector
  readonly pods: Selector
  readonly matches: Set<Identity>
  /** Keys of the recipes that have it. */
  readonly users: Set<string>
}

export class Identities {
  readonly #byKey = new Map<string, Identity>()
  readonly #byNumber = new Map<number, Identity>()
  readonly #byNamespace = new Map<string, Set<Identity>>()
  readonly #byPrefix = new Map<Prefix, Set<Identity>>()
  readonly #words = { labels: new Map<string, number>(), ports: new Map<string, number>() }
  /** Of what pods share: the label and port parts of keys, as long as the words are the same. */
  #parts = new WeakMap<object, string>()
  #last: number = IDENTITY.firstPod - 1
  /** Since the last takeChanges(): those that came, went, or have a family more or less. */
  readonly #changed = new Set<Identity>()
  readonly #created = new Set<Identity>()

  /** How many identities have addresses of a family. */
  readonly totals = { count4: 0, count6: 0 }

  get size(): number {
    return this.#byKey.size
  }

  all(): IterableIterator<Identity> {
    return this.#byKey.values()
  }

  byNumber(number: number): Identity | undefined {
    return this.#byNumber.get(number)
  }

  ofNamespace(namespace: string): ReadonlySet<Identity> {
    return this.#byNamespace.get(namespace) ?? NOBODY
  }

  ofPrefix(prefix: Prefix): ReadonlySet<Identity> {
    return this.#byPrefix.get(prefix) ?? NOBODY
  }

  namespaces(): IterableIterator<string> {
    return this.#byNamespace.keys()
  }

  /** Counts uses of words up (1) or down (-1); gives those that begin or cease to count. */
  useWords(
    words: { labels: ReadonlySet<string>; ports: ReadonlySet<string> },
    by: 1 | -1,
  ): { labels: readonly string[]; ports: readonly string[] } {
    const changed = {
      labels: countUses(this.#words.labels, words.labels, by),
      ports: countUses(this.#words.ports, words.ports, by),
    }
    if (changed.labels.length + changed.ports.length > 0) this.#parts = new WeakMap()
    return changed
  }

  /** The identity of one address of a pod; it is held until released. */
  hold(address: Address, pod: Pod, prefix: Prefix | undefined): Identity {
    const parts = [pod.namespace, this.#partOf(pod.labels), this.#partOf(pod.ports), prefix ?? '']
    const key = parts.join('|')
    const identity = this.#byKey.get(key) ?? this.#create(key, pod, prefix)
    this.#count(identity, address, 1)
    return identity
  }

  release(identity: Identity, address: Address): void {
    this.#count(identity, address, -1)
    if (identity.count4 + identity.count6 > 0) return
    this.#byKey.delete(identity.key)
    this.#byNumber.delete(identity.number)
    drop(this.#byNamespace, identity.namespace, identity)
    if (identity.prefix !== undefined) drop(this.#byPrefix, identity.prefix, identity)
  }

  isAlive(identity: Identity): boolean {
    return this.#byNumber.get(identity.number) === identity
  }

  /** `created` are among the changed. */
  takeChanges(): { changed: readonly Identity[]; created: readonly Identity[] } {
    const taken = { changed: [...this.#changed], created: [...this.#created] }
    this.#changed.clear()
    this.#created.clear()
    return taken
  }

  #count(identity: Identity, address: Address, by: 1 | -1): void {
    const family = address.includes(':') ? 'count6' : 'count4'
    const before = identity[family]
    identity[family] += by
    if (before > 0 && identity[family] > 0) return
    this.totals[family] += by
    this.#changed.add(identity)
  }

  #create(key: string, pod: Pod, prefix: Prefix | undefined): Identity {
    const labels: Record<string, string> = {}
    for (const name of this.#labelNames(pod.labels)) labels[name] = pod.labels[name] ?? ''
    const ports = this.#namedPorts(pod.ports)
    const identity: Identity = {
      ...{ number: this.#nextNumber(), key, namespace: pod.namespace, labels, ports, prefix },
      ...{ count4: 0, count6: 0, peers: new Set() },
    }
    this.#created.add(identity)
    this.#byKey.set(key, identity)
    this.#byNumber.set(identity.number, identity)
    put(this.#byNamespace, identity.namespace, identity)
    if (prefix !== undefined) put(this.#byPrefix, prefix, identity)
    return identity
  }

  /** As long unused as possible: verdicts of long ago may still name it. */
  #nextNumber(): number {
    do this.#last = this.#last + 1 < IDENTITY.firstCidr ? this.#last + 1 : IDENTITY.firstPod
    while (this.#byNumber.has(this.#last))
    return this.#last
  }

  #partOf(shared: Labels | readonly NamedPort[]): string {
    let part = this.#parts.get(shared)
    if (part === undefined) {
      part = Array.isArray(shared)
        ? JSON.stringify(this.#namedPorts(shared as readonly NamedPort[]))
        : JSON.stringify(
            this.#labelNames(shared as Labels).map((name) => [name, (shared as Labels)[name]]),
          )
      this.#parts.set(shared, part)
    }
    return part
  }

  #labelNames(labels: Labels): string[] {
    return Object.keys(labels)
      .filter((name) => this.#words.labels.has(name))
      .sort()
  }

  #namedPorts(ports: readonly NamedPort[]): readonly NamedPort[] {
    return ports.filter(({ name }) => this.#words.ports.has(name))
  }
}

const NOBODY: ReadonlySet<Identity> = new Set()

function countUses(uses: Map<string, number>, words: ReadonlySet<string>, by: 1 | -1): string[] {
  return [...words].filter((word) => {
    const before = uses.get(word) ?? 0
    if (before + by > 0) uses.set(word, before + by)
    else uses.delete(word)
    return before === 0 || before + by === 0
  })
}

export function put<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = sets.get(key)
  if (set) set.add(value)
  else sets.set(key, new Set([value]))
}

export function drop<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = sets.get(key)
  set?.delete(value)
  if (set?.size === 0) sets.delete(key)
}
