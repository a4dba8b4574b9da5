// Identities: pods that no rule can tell apart share a number. What can tell them apart: the
// namespace, labels that some rule asks for, ports whose names some rule asks for, and the
// narrowest prefix of a rule that holds the address.
//
// A number keeps its meaning for every rule in force. So when a namespace is meant by others than
// before, its pods get new numbers; and when rules begin or cease to ask for a word, as many as can
// keep theirs.
import type { Address } from '../../net/address.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { NamedPort, Pod } from '../../tables/intent.ts'
import { IDENTITY, type Selector } from '../../tables/policy.ts'
import type { Labels } from './selectors.ts'

/** What pods of one identity have in common. */
export interface Making {
  readonly key: string
  readonly namespace: string
  /** How often the namespace was renewed before. */
  readonly renewals: number
  /** Those that rules ask for. */
  readonly labels: Labels
  readonly ports: readonly NamedPort[]
  readonly prefix: Prefix | undefined
}

export interface Identity extends Making {
  readonly number: number
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

/** Labels or ports as far as rules ask for them, and what was made of them. */
interface Shared<Named> {
  readonly named: Named
  readonly text: string
  /** By namespace; `of` are the ports. */
  readonly made: Map<string, { readonly of: readonly NamedPort[]; readonly making: Making }[]>
}

/** Words that begin or cease to tell peers apart. */
export interface ChangedWords {
  readonly labels: ReadonlySet<string>
  readonly ports: ReadonlySet<string>
}

export class Identities {
  readonly #byKey = new Map<string, Identity>()
  readonly #byNumber = new Map<number, Identity>()
  readonly #byNamespace = new Map<string, Set<Identity>>()
  readonly #byPrefix = new Map<Prefix, Set<Identity>>()
  readonly #renewals = new Map<string, number>()
  readonly #words = { labels: new Map<string, number>(), ports: new Map<string, number>() }
  /** Of this run, by what rows of pods share. */
  readonly #shared = {
    labels: new Map<Labels, Shared<Labels>>(),
    ports: new Map<readonly NamedPort[], Shared<readonly NamedPort[]>>(),
  }
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
    if (changed.labels.length + changed.ports.length > 0) this.#forget()
    return changed
  }

  /** From now on pods of the namespace have other identities than before. */
  renew(namespace: string): void {
    this.#renewals.set(namespace, (this.#renewals.get(namespace) ?? 0) + 1)
    this.#forget()
  }

  makingOf({ namespace, labels, ports }: Pod, prefix: Prefix | undefined): Making {
    const ofLabels = remembered(this.#shared.labels, labels, () => this.#namedLabels(labels))
    const made = ofLabels.made.get(namespace) ?? []
    ofLabels.made.set(namespace, made)
    const known = made.find((each) => each.of === ports && each.making.prefix === prefix)
    if (known) return known.making
    const ofPorts = remembered(this.#shared.ports, ports, () => this.#namedPorts(ports))
    const renewals = this.#renewals.get(namespace) ?? 0
    const key = [namespace, renewals, ofLabels.text, ofPorts.text, prefix ?? ''].join('|')
    const making = {
      ...{ key, namespace, renewals, prefix },
      ...{ labels: ofLabels.named, ports: ofPorts.named },
    }
    made.push({ of: ports, making })
    return making
  }

  /** The identity of one address; it is held until released. */
  hold(address: Address, making: Making): Identity {
    const identity = this.#byKey.get(making.key) ?? this.#create(making)
    this.#count(identity, address, 1)
    return identity
  }

  /**
   * The identity is made so from now on, if nobody is yet and the difference lies in these words
   * and in its prefix alone: no rule that there was before tells the two apart. Whether it is.
   */
  remake(identity: Identity, making: Making, words: ChangedWords): boolean {
    if (this.#byKey.has(making.key) || !differOnlyBy(words, identity, making)) return false
    this.#unlist(identity)
    Object.assign(identity, making)
    this.#list(identity)
    return true
  }

  release(identity: Identity, address: Address): void {
    this.#count(identity, address, -1)
    if (identity.count4 + identity.count6 > 0) return
    this.#byNumber.delete(identity.number)
    this.#unlist(identity)
  }

  isAlive(identity: Identity): boolean {
    return this.#byNumber.get(identity.number) === identity
  }

  /** `created` are among the changed. */
  takeChanges(): { changed: readonly Identity[]; created: readonly Identity[] } {
    const taken = { changed: [...this.#changed], created: [...this.#created] }
    this.#changed.clear()
    this.#created.clear()
    this.#forget()
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

  #create(making: Making): Identity {
    const number = this.#nextNumber()
    const identity: Identity = { ...making, number, count4: 0, count6: 0, peers: new Set() }
    this.#created.add(identity)
    this.#byNumber.set(number, identity)
    this.#list(identity)
    return identity
  }

  #list(identity: Identity): void {
    const { key, namespace, prefix } = identity
    this.#byKey.set(key, identity)
    put(this.#byNamespace, namespace, identity)
    if (prefix !== undefined) put(this.#byPrefix, prefix, identity)
  }

  #unlist(identity: Identity): void {
    const { key, namespace, prefix } = identity
    this.#byKey.delete(key)
    drop(this.#byNamespace, namespace, identity)
    if (prefix !== undefined) drop(this.#byPrefix, prefix, identity)
  }

  /** As long unused as possible: verdicts of long ago may still name it. */
  #nextNumber(): number {
    do this.#last = this.#last + 1 < IDENTITY.firstCidr ? this.#last + 1 : IDENTITY.firstPod
    while (this.#byNumber.has(this.#last))
    return this.#last
  }

  #forget(): void {
    for (const shared of Object.values(this.#shared)) shared.clear()
  }

  /** In one order, whatever theirs. */
  #namedLabels(labels: Labels): Labels {
    const names = Object.keys(labels).filter((name) => this.#words.labels.has(name))
    return Object.fromEntries(names.sort().map((name) => [name, labels[name] ?? '']))
  }

  #namedPorts(ports: readonly NamedPort[]): readonly NamedPort[] {
    return ports.filter(({ name }) => this.#words.ports.has(name))
  }
}

const NOBODY: ReadonlySet<Identity> = new Set()

/** Whatever their prefixes. */
function differOnlyBy(words: ChangedWords, a: Making, b: Making): boolean {
  if (a.namespace !== b.namespace || a.renewals !== b.renewals) return false
  for (const labels of [a.labels, b.labels]) {
    for (const name in labels) {
      if (!words.labels.has(name) && a.labels[name] !== b.labels[name]) return false
    }
  }
  const lasting = ({ ports }: Making) => ports.filter(({ name }) => !words.ports.has(name))
  if (a.ports.length + b.ports.length === 0) return true
  return JSON.stringify(lasting(a)) === JSON.stringify(lasting(b))
}

function remembered<Named>(
  all: Map<Named, Shared<Named>>,
  of: Named,
  name: () => Named,
): Shared<Named> {
  let shared = all.get(of)
  if (!shared) {
    const named = name()
    shared = { named, text: JSON.stringify(named), made: new Map() }
    all.set(of, shared)
  }
  return shared
}

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
