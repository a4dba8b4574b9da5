// Sets of rules in map `policy`. A set that is in force changes in place only by entries of
// identities that nobody has (before: additions, afterwards: removals); any other change is a new
// set under a new number, to which the endpoints are swapped.
import type { PolicyEntry, PolicySet } from '../tables/policy.ts'
import type * as layout from './layout.gen.ts'
import { entryKey, kindsOf, type RuleMap, readSets, ruleEntry } from './policy-layout.ts'

/** A set as the kernel holds it. */
export interface HeldSet {
  /** Number in the map; the row's own where it is free. */
  readonly number: number
  readonly kinds: number
  readonly row: PolicySet
}

/** Which identities somebody has, now and after the change that is being made. */
export interface Living {
  readonly before: (identity: number) => boolean
  readonly after: (identity: number) => boolean
}

interface Plan {
  readonly id: number
  readonly next: HeldSet
  readonly added: readonly PolicyEntry[]
  readonly removed: readonly PolicyEntry[]
  /** The set whose place it takes, when that is another one. */
  readonly replaced: HeldSet | undefined
}

/** Numbers that rows never ask for begin here. */
const FIRST_SPARE = 0x8000_0000

export class PolicySets {
  readonly #map: RuleMap
  readonly #held = new Map<number, HeldSet>()
  readonly #failed = new Map<number, Error>()
  readonly #numbers = new Set<number>()
  #spare = FIRST_SPARE
  /** What nobody reads any more once the generation is flipped and programs have ended. */
  #garbage: { keys: layout.PolicyKey[]; numbers: number[] } = { keys: [], numbers: [] }

  constructor(map: RuleMap) {
    this.#map = map
  }

  /** Ids of rows whose sets are held. */
  ids(): Iterable<number> {
    return this.#held.keys()
  }

  get(id: number): HeldSet | undefined {
    return this.#held.get(id)
  }

  /** Why the set of this row is not in the map. */
  problem(id: number): Error | undefined {
    return this.#failed.get(id)
  }

  get failures(): ReadonlyMap<number, Error> {
    return this.#failed
  }

  /** Takes the map's sets as they are; a row finds its own by number, or by what was known. */
  restore(): void {
    const known = new Map([...this.#held].map(([id, { number }]) => [number, id]))
    this.#held.clear()
    this.#numbers.clear()
    this.#garbage = { keys: [], numbers: [] }
    for (const [number, row] of readSets(this.#map)) {
      this.#numbers.add(number)
      this.#held.set(known.get(number) ?? number, { number, kinds: kindsOf(row.entries), row })
    }
  }

  /**
   * Writes what the rows of these ids need before the generation is flipped. Answers the ids whose
   * endpoints have to be written again: number or kinds have changed, or it failed or is well.
   */
  stage(
    ids: Iterable<number>,
    rowOf: (id: number) => PolicySet | undefined,
    living: Living,
  ): Set<number> {
    const changed = new Set<number>()
    const plans: Plan[] = []
    for (const id of ids) {
      const row = rowOf(id)
      if (row) {
        const plan = this.#plan(id, row, living)
        if (plan) plans.push(plan)
      } else if (this.#failed.delete(id) || this.#held.has(id)) {
        changed.add(id)
        this.#retire(this.#held.get(id))
        this.#held.delete(id)
      }
    }
    for (const { id, next, removed, replaced } of this.#write(plans, changed)) {
      const before = this.#held.get(id)
      const isSame = before?.number === next.number && before.kinds === next.kinds
      if (this.#failed.delete(id) || !isSame) changed.add(id)
      this.#held.set(id, next)
      this.#retire(replaced)
      this.#discard(next.number, next.row.direction, removed)
    }
    return changed
  }

  /** Deletes what is out of use, once no program can be reading it. */
  collect(): void {
    const { keys, numbers } = this.#garbage
    this.#garbage = { keys: [], numbers: [] }
    this.#map.deleteMany(keys)
    for (const number of numbers) this.#numbers.delete(number)
  }

  get hasGarbage(): boolean {
    return this.#garbage.keys.length > 0 || this.#garbage.numbers.length > 0
  }

  #plan(id: number, row: PolicySet, living: Living): Plan | undefined {
    const held = this.#held.get(id)
    if (held && !this.#failed.has(id)) {
      if (held.row === row) return undefined
      const inPlace = held.row.direction === row.direction && changeInPlace(held.row, row, living)
      if (inPlace) {
        const kinds = kindsOf(row.entries) | held.kinds
        return { id, next: { number: held.number, kinds, row }, ...inPlace, replaced: undefined }
      }
    }
    const next = { number: this.#takeNumber(id), kinds: kindsOf(row.entries), row }
    return { id, next, added: row.entries, removed: [], replaced: held }
  }

  /** All entries in one call. Answers the plans that stand; of the others nothing stays. */
  #write(plans: readonly Plan[], changed: Set<number>): Plan[] {
    const owners: Plan[] = []
    const entries = plans.flatMap((plan) =>
      plan.added.map((entry) => {
        owners.push(plan)
        return ruleEntry(plan.next.number, plan.next.row.direction, entry)
      }),
    )
    const failed = new Map<Plan, Error>()
    for (const [at, error] of this.#map.updateMany(entries)) {
      const plan = owners[at]
      if (plan) failed.set(plan, error)
    }
    for (const [plan, error] of failed) this.#undo(plan, error, changed)
    return plans.filter((plan) => !failed.has(plan))
  }

  /** What was in force is not what is wished: its endpoints are closed, and it goes. */
  #undo({ id, next, added }: Plan, error: Error, changed: Set<number>): void {
    const { number, row } = next
    this.#map.deleteMany(added.map((entry) => ruleEntry(number, row.direction, entry)[0]))
    if (this.#held.get(id)?.number !== number) this.#numbers.delete(number)
    const text = `Cannot hold set ${id} of ${row.entries.length} rules: ${error.message}`
    if (!this.#failed.has(id)) changed.add(id)
    this.#failed.set(id, new Error(text, { cause: error }))
    this.#retire(this.#held.get(id))
    this.#held.delete(id)
  }

  #takeNumber(id: number): number {
    let number = id
    while (this.#numbers.has(number)) number = this.#nextSpare()
    this.#numbers.add(number)
    return number
  }

  #nextSpare(): number {
    this.#spare = this.#spare >= 0xffff_fffe ? FIRST_SPARE : this.#spare + 1
    return this.#spare
  }

  #retire(held: HeldSet | undefined): void {
    if (!held) return
    this.#discard(held.number, held.row.direction, held.row.entries)
    this.#garbage.numbers.push(held.number)
  }

  #discard(
    number: number,
    direction: PolicySet['direction'],
    entries: readonly PolicyEntry[],
  ): void {
    for (const entry of entries) this.#garbage.keys.push(ruleEntry(number, direction, entry)[0])
  }
}

/** What to add and to remove where that may be done to a set in force, else undefined. */
function changeInPlace(
  from: PolicySet,
  to: PolicySet,
  { before, after }: Living,
): { added: PolicyEntry[]; removed: PolicyEntry[] } | undefined {
  const old = new Map(from.entries.map((entry) => [entryKey(entry), entry]))
  const added: PolicyEntry[] = []
  for (const entry of to.entries) {
    const key = entryKey(entry)
    const was = old.get(key)
    old.delete(key)
    if (was?.verdict === entry.verdict && was.ruleId === entry.ruleId) continue
    // Another number of the same rule changes no verdict.
    if (was?.verdict !== entry.verdict && before(entry.identity)) return undefined
    added.push(entry)
  }
  const removed = [...old.values()]
  return removed.some(({ identity }) => after(identity)) ? undefined : { added, removed }
}
