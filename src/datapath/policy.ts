// Keeps the maps of policy equal to their four tables, all of one turn of the tables at once:
//
//   1. sets of rules are written that nobody uses yet, and entries of identities that nobody has
//   2. who is who and which set a pod has is written into the half that programs do not read
//   3. the generation is flipped and the epoch bumped: flows are decided again by the new
//   4. a moment later the other half is made equal, and what is out of use is deleted
//
// So no packet meets half a change, in whatever order rows came. A set that does not fit is left
// out whole, and the pods that have it are closed, as is said in their rows' status.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Failures, NO_FAILURES, type Operations } from '../state/reconciler.ts'
import type { Table } from '../state/table.ts'
import type { AddressIdentity, CidrIdentity, EndpointPolicy, PolicySet } from '../tables/policy.ts'
import type * as layout from './layout.gen.ts'
import type { RuleMap } from './policy-layout.ts'
import {
  type Changes,
  type CidrMap,
  cidrTable,
  type IdentityMap,
  identityTable,
  type PairTable,
  type PodPolicyMap,
  podPolicyTable,
} from './policy-pairs.ts'
import { PodPolicies } from './policy-pods.ts'
import { isComingAndGoing, type Movement, Population } from './policy-population.ts'
import { PolicySets } from './policy-sets.ts'

export interface PolicyTables {
  readonly addressIdentities: Table<AddressIdentity>
  readonly cidrIdentities: Table<CidrIdentity>
  readonly policySets: Table<PolicySet>
  readonly endpointPolicies: Table<EndpointPolicy>
}
type TableName = keyof PolicyTables
const NAMES: readonly TableName[] = [
  'addressIdentities',
  'cidrIdentities',
  'policySets',
  'endpointPolicies',
]

export interface PolicyMaps {
  readonly identities: IdentityMap
  readonly cidrs: CidrMap
  readonly pods: PodPolicyMap
  readonly rules: RuleMap
}

export interface PolicyOptions {
  /** Of one turn: whoever writes them writes all four before anybody else runs. */
  readonly tables: PolicyTables
  readonly maps: PolicyMaps
  readonly generation: { read(): number; write(value: number): void }
  readonly bumpEpoch: () => void
  /** How long a program may still read what was in force before; a program runs far shorter. */
  readonly graceMs?: number
  /** Flows need not be decided again at once when pods elsewhere come or go: so late at most. */
  readonly lazyMs?: number
}

export class Policy {
  readonly addressIdentities: Operations<AddressIdentity>
  readonly cidrIdentities: Operations<CidrIdentity>
  readonly policySets: Operations<PolicySet>
  readonly endpointPolicies: Operations<EndpointPolicy>
  readonly #options: PolicyOptions
  readonly #identities
  readonly #cidrs
  readonly #pods
  readonly #sets: PolicySets
  readonly #podPolicies: PodPolicies
  readonly #population = new Population()
  readonly #dirty = forEach(() => new Set<string>())
  readonly #failures = forEach(() => new Map<string, Error>())
  readonly #unsubscribe: (() => void)[] = []
  #queue: Promise<void> = Promise.resolve()
  #settling: Promise<void> = Promise.resolve()
  #lazyBump: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: PolicyOptions) {
    const { tables, maps } = options
    this.#options = options
    this.#identities = identityTable(maps.identities)
    this.#cidrs = cidrTable(maps.cidrs)
    this.#pods = podPolicyTable(maps.pods)
    this.#sets = new PolicySets(maps.rules)
    this.#podPolicies = new PodPolicies(this.#sets)
    this.addressIdentities = this.#operations('addressIdentities', tables.addressIdentities)
    this.cidrIdentities = this.#operations('cidrIdentities', tables.cidrIdentities)
    this.policySets = this.#operations('policySets', tables.policySets)
    // One of the four repairs all of them.
    const prune = () => this.#repair()
    this.endpointPolicies = {
      ...this.#operations('endpointPolicies', tables.endpointPolicies),
      prune,
    }
    for (const name of NAMES) {
      const watch = (key: string): void => void (key && this.#dirty[name].add(key))
      this.#unsubscribe.push(tables[name].subscribe(watch))
    }
  }

  /** Takes over what is in force from the pinned maps; every row is looked at next. */
  restore(): void {
    const { generation, tables } = this.#options
    for (const pairs of this.#pairs) pairs.restore(generation.read())
    this.#sets.restore()
    this.#population.reset(this.#identities.held, this.#cidrs.held)
    const held: Record<TableName, Iterable<string>> = {
      addressIdentities: this.#identities.held.keys(),
      cidrIdentities: this.#cidrs.held.keys(),
      policySets: [...this.#sets.ids()].map(String),
      endpointPolicies: this.#pods.held.keys(),
    }
    for (const name of NAMES) {
      for (const key of held[name]) this.#dirty[name].add(key)
      for (const { key } of tables[name].entries()) this.#dirty[name].add(key)
    }
  }

  /** Ends what was to be done later: the next start does it. */
  stop(): void {
    this.#stopped = true
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    clearTimeout(this.#lazyBump)
  }

  /** Resolves when nothing is left to be done later but the epoch. */
  async settled(): Promise<void> {
    await this.#settling
  }

  get #pairs() {
    return [this.#identities, this.#cidrs, this.#pods] as const
  }

  #operations<Row extends object>(name: TableName, table: Table<Row>): Operations<Row> {
    const failures = this.#failures[name]
    const run = async (rows: readonly Row[]): Promise<Failures> => {
      const keys = new Set(rows.map((row) => table.keyOf(row)))
      for (const key of failures.keys()) if (keys.has(key)) this.#dirty[name].add(key)
      await this.#apply()
      if (failures.size === 0) return NO_FAILURES
      return new Map([...failures].filter(([key]) => keys.has(key)))
    }
    return { update: run, delete: run }
  }

  async #repair(): Promise<void> {
    await this.#settling
    this.restore()
    await this.#apply()
  }

  /** One at a time; what changes meanwhile is the next one's. */
  #apply(): Promise<void> {
    const { tables } = this.#options
    const run = this.#queue.then(async () => {
      await this.#settling
      if (NAMES.every((name) => this.#dirty[name].size === 0)) return
      const late = NAMES.find((name) => !tables[name].initialized)
      if (late) throw new Error(`Cannot apply policy: table ${late} has no first list yet`)
      try {
        this.#change()
      } catch (error) {
        this.restore()
        throw error
      }
    })
    this.#queue = run.catch(() => {})
    return run
  }

  #change(): void {
    const { tables, generation } = this.#options
    const now = generation.read() & 1
    const { addressIdentities, cidrIdentities } = this.#dirty
    const moves = [
      this.#moveOf('addressIdentities', this.#identities, addressIdentities, (key) =>
        tables.addressIdentities.get(key),
      ),
      this.#moveOf('cidrIdentities', this.#cidrs, cidrIdentities, (key) =>
        tables.cidrIdentities.get(key),
      ),
    ]
    const isLazy = moves.every(isComingAndGoing)
    const moved = this.#sets.stage(
      [...this.#dirty.policySets].map(Number),
      (id) => tables.policySets.get(String(id)),
      this.#population.living(moves),
    )
    for (const { name, pairs, changes } of moves) {
      this.#note(name, changes, pairs.stage(changes, now))
    }
    const pods = this.#pods.changesOf(this.#podWishes(moved))
    const failed = this.#pods.stage(pods, now)
    for (const [key, error] of failed) this.#failures.endpointPolicies.set(key, error)
    this.#failures.policySets.clear()
    for (const [id, error] of this.#sets.failures) this.#failures.policySets.set(`${id}`, error)
    for (const name of NAMES) this.#dirty[name].clear()
    if (!this.#pairs.some(({ hasStaged }) => hasStaged) && !this.#sets.hasGarbage) return
    this.#flip(moves, now, isLazy && !this.#pods.hasStaged)
    this.#settling = this.#settle()
  }

  #moveOf<K, Pair>(
    name: TableName,
    pairs: PairTable<number, K, Pair>,
    dirty: ReadonlySet<string>,
    rowOf: (key: string) => { readonly identity: number } | undefined,
  ) {
    const wishes = [...dirty].map((key) => [key, rowOf(key)?.identity] as const)
    return { name, pairs, held: pairs.held, changes: pairs.changesOf(new Map(wishes)) }
  }

  /** The generation goes first: a flow decided meanwhile by the old one has the old epoch. */
  #flip(moves: readonly Movement[], now: number, isLazy: boolean): void {
    if (!this.#pairs.some(({ hasStaged }) => hasStaged)) return
    this.#options.generation.write(now ^ 1)
    if (isLazy) this.#bumpLater()
    else this.#bump()
    const count = (by: 1 | -1): void => {
      for (const { held, changes } of moves) {
        for (const key of changes.keys()) this.#population.move(held.get(key), by)
      }
    }
    count(-1)
    for (const pairs of this.#pairs) pairs.commit()
    count(1)
  }

  /** The old half follows, and what is out of use goes, when no program can be reading it. */
  async #settle(): Promise<void> {
    await sleep(this.#options.graceMs ?? 2)
    // The maps may be closed by now; the next start finds the halves uneven and evens them.
    if (this.#stopped) return
    for (const pairs of this.#pairs) pairs.equalise()
    this.#sets.collect()
  }

  #bump(): void {
    clearTimeout(this.#lazyBump)
    this.#lazyBump = undefined
    this.#options.bumpEpoch()
  }

  #bumpLater(): void {
    this.#lazyBump ??= setTimeout(() => this.#bump(), this.#options.lazyMs ?? 1000).unref()
  }

  #note(name: TableName, changes: Changes<unknown>, failed: ReadonlyMap<string, Error>): void {
    const failures = this.#failures[name]
    for (const key of changes.keys()) failures.delete(key)
    for (const [key, error] of failed) failures.set(key, error)
  }

  /** Of the rows that changed, and of those whose sets have moved. */
  #podWishes(moved: ReadonlySet<number>): Map<string, layout.EndpointPolicy | undefined> {
    const { endpointPolicies } = this.#options.tables
    const failures = this.#failures.endpointPolicies
    const keys = new Set(this.#dirty.endpointPolicies)
    for (const id of moved) for (const key of this.#podPolicies.usersOf(id)) keys.add(key)
    const wishes = new Map<string, layout.EndpointPolicy | undefined>()
    for (const key of keys) {
      const { value, problem } = this.#podPolicies.wish(key, endpointPolicies.get(key))
      wishes.set(key, value)
      failures.delete(key)
      if (problem) failures.set(key, problem)
    }
    return wishes
  }
}

function forEach<T>(make: () => T): Record<TableName, T> {
  return {
    addressIdentities: make(),
    cidrIdentities: make(),
    policySets: make(),
    endpointPolicies: make(),
  }
}
