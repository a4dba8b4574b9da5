// Policies, pods and namespaces to what the datapath asks, kept up to date: a change runs only what
// it concerns, and all tables of a run change in one turn. The outcome is a function of the rows
// alone, but for the numbers: what a rebuild from nothing gives differs in these only.
import type { Prefix } from '../../net/prefix.ts'
import { later } from '../../state/timer.ts'
import { IDENTITY, type PolicyEntry } from '../../tables/policy.ts'
import type { Tables } from '../../tables/tables.ts'
import { Addresses } from './addresses.ts'
import { PolicyBook } from './book.ts'
import { compile, recompile, type World } from './compile.ts'
import type { Ground } from './ground.ts'
import { type ChangedWords, Identities, type Identity } from './identities.ts'
import { Locals } from './locals.ts'
import { isSameForOthers, PolicyOutput } from './output.ts'
import { type NamespaceLabels, Peers } from './peers.ts'
import { PrefixNumbers } from './prefix-numbers.ts'
import { PrefixClasses } from './prefixes.ts'
import { type Recipe, Recipes } from './recipes.ts'
import { Rules } from './rules.ts'

export interface PolicySettings {
  /** Namespaces need no rows: a directory of manifests may do without. */
  readonly implicitNamespaces: boolean
  /** How many entries all sets together may have. */
  readonly budget: number
  /** See World. */
  readonly many?: number
}

const MANY = 32

/**
 * Half of what map `policy` holds, for a set that changes is written beside the old one and both
 * stand for a moment.
 */
export const POLICY_BUDGET = 524_288

/** Tables that policies are compiled from. */
export const POLICY_INPUTS = [
  'nodes',
  'namespaces',
  'pods',
  'networkPolicies',
  'clusterNetworkPolicies',
  'endpoints',
] as const

type Input = (typeof POLICY_INPUTS)[number]

export class PolicyCompiler {
  readonly #tables: Tables
  readonly #settings: PolicySettings
  readonly #dirty = Object.fromEntries(POLICY_INPUTS.map((name) => [name, new Set()])) as Readonly<
    Record<Input, Set<string>>
  >
  readonly #identities = new Identities()
  readonly #classes = new PrefixClasses()
  readonly #rules = new Rules()
  readonly #prefixNumbers = new PrefixNumbers()
  readonly #peers: Peers
  readonly #book: PolicyBook
  readonly #recipes: Recipes
  readonly #locals: Locals
  readonly #addresses: Addresses
  readonly #output: PolicyOutput
  /** By which peers know the namespaces of identities; of those that have a row. */
  readonly #namespaces = new Map<string, NamespaceLabels>()
  #isActive = false
  #setId = 0
  #cancel: (() => void) | undefined
  #stops: (() => void)[] = []

  constructor(tables: Tables, settings: PolicySettings) {
    this.#tables = tables
    this.#settings = settings
    const labelsOf = (namespace: string): NamespaceLabels => this.#labelsOf(namespace)
    const [identities, classes] = [this.#identities, this.#classes]
    this.#peers = new Peers(identities, labelsOf)
    this.#book = new PolicyBook(identities)
    this.#recipes = new Recipes({
      ...{ peers: this.#peers, classes, rules: this.#rules },
      nodes: () => tables.nodes.rows(),
    })
    this.#locals = new Locals({ tables, book: this.#book, recipes: this.#recipes, labelsOf })
    this.#addresses = new Addresses({
      ...{ pods: tables.pods, output: tables.addressIdentities, identities, classes },
      localPod: (address) => this.#locals.podOf(address),
    })
    this.#output = new PolicyOutput(tables, settings.budget)
  }

  /** Runs whenever an input changed, coalesced, as soon as all had their first list. */
  start(): void {
    for (const name of POLICY_INPUTS) {
      const table = this.#tables[name]
      for (const { key } of table.entries()) this.#dirty[name].add(key)
      const wake = (key: string): void => {
        if (key !== '') this.#dirty[name].add(key)
        this.#cancel ??= later(0, () => this.run())
      }
      this.#stops.push(table.subscribe(wake))
    }
    this.#cancel = later(0, () => this.run())
  }

  stop(): void {
    this.#cancel?.()
    for (const stop of this.#stops) stop()
    this.#stops = []
  }

  run(): void {
    this.#cancel = undefined
    if (!POLICY_INPUTS.every((name) => this.#tables[name].initialized)) return
    const words = this.#readPolicies()
    this.#readPods()
    this.#readNamespaces()
    this.#locals.settle()
    const prefixes = this.#recipes.takePrefixes() as Prefix[]
    this.#touchWithin(prefixes)
    if (this.#isActive) this.#addresses.settle(words, prefixes.length > 0)
    else this.#addresses.clear()
    this.#compileWhatChanged(prefixes)
    this.#output.write({
      rules: this.#rules.all(),
      recipes: [...this.#recipes.all()],
      locals: this.#locals.all(),
      prefixes: this.#prefixNumbers.all(),
    })
  }

  #readPolicies(): ChangedWords {
    const { networkPolicies, clusterNetworkPolicies } = this.#tables
    for (const key of take(this.#dirty.networkPolicies)) {
      this.#book.setNetworkPolicy(key, networkPolicies.get(key))
      this.#locals.touchNamespace(key.slice(0, key.indexOf('/')))
    }
    const clusterKeys = take(this.#dirty.clusterNetworkPolicies)
    for (const key of clusterKeys) {
      this.#book.setClusterPolicy(key, clusterNetworkPolicies.get(key))
    }
    const areNodesRenewed = take(this.#dirty.nodes).length > 0 && this.#book.renewNodePolicies()
    if (clusterKeys.length > 0 || areNodesRenewed) this.#locals.touchAll()
    const isActive = !this.#book.isEmpty
    if (isActive && !this.#isActive) {
      for (const { key } of this.#tables.pods.entries()) this.#dirty.pods.add(key)
      for (const { key } of this.#tables.endpoints.entries()) this.#dirty.endpoints.add(key)
    }
    this.#isActive = isActive
    const words = this.#book.takeChangedWords()
    const [labels, ports] = [[...words.labels], words.ports]
    if (labels.length + ports.size === 0) return words
    for (const { key, row } of this.#tables.pods.entries()) {
      const isConcerned =
        labels.some((name) => Object.hasOwn(row.labels, name)) ||
        row.ports.some(({ name }) => ports.has(name))
      if (isConcerned) this.#addresses.touchWords(key)
    }
    for (const address of this.#locals.addresses()) this.#addresses.touch(address)
    return words
  }

  #readPods(): void {
    for (const key of take(this.#dirty.endpoints)) {
      for (const address of this.#locals.touchEndpoint(key)) this.#addresses.touch(address)
    }
    for (const key of take(this.#dirty.pods)) {
      for (const address of this.#locals.touchPod(key)) this.#addresses.touch(address)
      if (this.#isActive) this.#addresses.touchPod(key)
    }
  }

  #readNamespaces(): void {
    for (const name of take(this.#dirty.namespaces)) {
      const addresses = this.#locals.touchNamespace(name)
      const [before, now] = [this.#namespaces.get(name), this.#labelsOf(name)]
      if (this.#tables.namespaces.get(name)) this.#namespaces.set(name, now)
      else this.#namespaces.delete(name)
      if (!this.#peers.tellsApart(before ?? this.#unknown(name), now)) continue
      // Its pods get new numbers, so that sets in force say of nobody else than before.
      this.#identities.renew(name)
      this.#addresses.touchNamespace(name)
      for (const address of addresses) this.#addresses.touch(address)
    }
  }

  /** Addresses whose class may be another now. */
  #touchWithin(prefixes: readonly Prefix[]): void {
    if (prefixes.length === 0) return
    const changed = new PrefixClasses()
    for (const prefix of prefixes) changed.add({ prefix, except: [] })
    this.#addresses.touchWhere((address) => changed.classOf(address) !== undefined)
    for (const address of this.#locals.addresses()) this.#addresses.touch(address)
  }

  #compileWhatChanged(prefixes: readonly Prefix[]): void {
    const { changed, created } = this.#identities.takeChanges()
    for (const identity of changed) this.#peers.rematch(identity)
    this.#peers.settle()
    const world = this.#world()
    const fresh = new Set(this.#prefixNumbers.keepOnly(this.#classes.prefixes()))
    for (const { number } of created) fresh.add(number)
    const isFresh = (identity: number) => fresh.has(identity) || this.#isNobody(identity)
    const concerned = this.#concerned(changed)
    for (const recipe of this.#recipes.all()) {
      const { ground } = recipe
      if (ground) ground.slack -= changed.length
      const hasOtherBlocks = prefixes.length > 0 && (ground?.meaning.byPrefix.size ?? 0) > 0
      if (!ground || ground.slack <= 0 || hasOtherBlocks) this.#compile(recipe, world, isFresh)
      else if (concerned(recipe, ground)) this.#recompile(recipe, changed, world, isFresh)
    }
  }

  /** Whose entries these identities may change, be it that they are nobody any more. */
  #concerned(changed: readonly Identity[]): (recipe: Recipe, ground: Ground) => boolean {
    const users = new Set(this.#peers.takeAffected())
    // A family more or less changes what an identity's entries are compared with.
    for (const { peers } of changed) {
      for (const peer of peers) for (const key of peer.users) users.add(key)
    }
    const classes = [...new Set(changed.flatMap(({ prefix }) => prefix ?? []))]
    return ({ key }, { hasLifted, meaning: { byPorts, byPrefix } }) =>
      users.has(key) ||
      (changed.length > 0 && (hasLifted || byPorts.length > 0)) ||
      classes.some((prefix) => byPrefix.has(prefix))
  }

  #compile(recipe: Recipe, world: World, isFresh: (identity: number) => boolean): void {
    const { entries, ground } = compile(recipe, world)
    recipe.ground = ground
    this.#put(recipe, entries, isFresh)
  }

  #recompile(
    recipe: Recipe,
    changed: readonly Identity[],
    world: World,
    isFresh: (identity: number) => boolean,
  ): void {
    const entries = recompile(recipe, world, changed)
    if (!entries) this.#compile(recipe, world, isFresh)
    else if (entries !== recipe.entries) this.#put(recipe, entries, isFresh)
  }

  /** Content that differs for somebody who was there already gets a new id. */
  #put(
    recipe: Recipe,
    entries: readonly PolicyEntry[],
    isFresh: (identity: number) => boolean,
  ): void {
    const isKept = recipe.id !== 0 && isSameForOthers(recipe.entries, entries, isFresh)
    recipe.entries = entries
    if (!isKept) recipe.id = ++this.#setId
  }

  #isNobody(identity: number): boolean {
    if (identity < IDENTITY.firstPod) return false
    if (identity >= IDENTITY.firstCidr) return !this.#prefixNumbers.isUsed(identity)
    return this.#identities.byNumber(identity) === undefined
  }

  #world(): World {
    const { totals } = this.#identities
    return {
      ...{ identities: this.#identities, classes: this.#classes, totals },
      many: this.#settings.many ?? MANY,
      cidrNumber: (prefix) => this.#prefixNumbers.numberOf(prefix),
    }
  }

  #labelsOf(namespace: string): NamespaceLabels {
    const row = this.#tables.namespaces.get(namespace)
    return row ? { labels: row.labels, isWhole: true } : this.#unknown(namespace)
  }

  #unknown(namespace: string): NamespaceLabels {
    const labels = { 'kubernetes.io/metadata.name': namespace }
    return { labels, isWhole: this.#settings.implicitNamespaces }
  }
}

function take<T>(set: Set<T>): T[] {
  const items = [...set]
  set.clear()
  return items
}
