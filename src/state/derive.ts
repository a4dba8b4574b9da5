// Rows to rows: keeps an output table equal to a pure function of input tables, one group at a
// time. Nothing is written before every input has had its first list: half a list must not look
// like a wish.
import type { Table } from './table.ts'
import { later } from './timer.ts'

/** One input: a change concerns the groups that `groupsOf` names for the old row and the new. */
export interface Input<Row extends object> {
  readonly table: Table<Row>
  readonly groupsOf: (row: Row) => Iterable<string>
  /** The part of a row that matters, as text: a change of the rest concerns no group. */
  readonly partOf?: (row: Row) => string
  /** Its first list is not waited for: rows that come of it may be missing until then. */
  readonly isOptional?: boolean
}

export interface Derivation<Out extends object> {
  // biome-ignore lint/suspicious/noExplicitAny: inputs of one derivation have different row types
  readonly inputs: readonly Input<any>[]
  /** Groups that are there whatever the inputs hold. */
  readonly constant?: readonly string[]
  /**
   * Pure: the rows of one group, from the tables as they are now. Of rows with one key the first
   * counts.
   */
  readonly compute: (group: string) => readonly Out[]
  readonly output: Table<Out>
  /** Of two groups that claim one key the row of the lower rank has it. Default: all are equal. */
  readonly rankOf?: (row: Out) => number
  /**
   * Called when a key that `owner` holds is claimed by `loser` too, once as long as both claim it.
   */
  readonly onConflict?: (conflict: { key: string; owner: string; loser: string }) => void
  /** Called when `loser` no longer waits for the key: it has it, or wants it no more. */
  readonly onResolved?: (resolved: { key: string; loser: string }) => void
}

/** Keys as they are kept: most groups have one, and a set of one costs 200 bytes. */
type Keys = string | readonly string[]

function pack(keys: ReadonlySet<string>): Keys {
  const [first, ...rest] = keys
  return first !== undefined && rest.length === 0 ? first : [...keys]
}

function unpack(keys: Keys = []): readonly string[] {
  return typeof keys === 'string' ? [keys] : keys
}

/**
 * Runs the derivation once for everything when every input is initialized: then the output holds
 * its rows and no other, also none of an earlier derivation, and is marked initialized. After that
 * runs, coalesced, each group touched by a change. Returns the way to stop.
 */
export function derive<Out extends object>(
  derivation: Derivation<Out>,
  coalesceMs = 0,
): () => void {
  const { inputs, output, constant = [] } = derivation
  const dirty = new Set<string>(constant)
  /** The rows of each input as they were last looked at. */
  const seen = inputs.map(() => new Map<string, object>())
  const { runGroup, isOwned } = groupRunner(derivation, dirty)
  let cancel: (() => void) | undefined
  let first = true

  const touch = (at: number, { table, groupsOf, partOf }: Input<object>, key: string): void => {
    const before = seen[at]?.get(key)
    const row = table.get(key)
    if (row) seen[at]?.set(key, row)
    else seen[at]?.delete(key)
    if (partOf && before && row && partOf(before) === partOf(row)) return
    for (const either of [before, row]) {
      for (const group of either ? groupsOf(either) : []) dirty.add(group)
    }
  }

  const run = (): void => {
    cancel = undefined
    if (!inputs.every(({ table, isOptional }) => isOptional || table.initialized)) return
    // A group that gives up a key makes the next claimant dirty, which then runs in this same loop.
    for (const group of dirty) {
      dirty.delete(group)
      runGroup(group)
    }
    if (first) for (const { key } of output.entries()) if (!isOwned(key)) output.delete(key)
    first = false
    output.markInitialized()
  }

  const wake = (): void => {
    cancel ??= later(coalesceMs, run)
  }

  const stops = inputs.map((input, at) => {
    for (const { key } of input.table.entries()) touch(at, input, key)
    return input.table.subscribe((key) => {
      if (key) touch(at, input, key)
      wake()
    })
  })
  wake()
  return () => {
    cancel?.()
    for (const stop of stops) stop()
  }
}

interface Owner {
  readonly group: string
  readonly rank: number
}

function precedes(a: Owner, b: Owner): boolean {
  return a.rank === b.rank ? a.group < b.group : a.rank < b.rank
}

/**
 * Writes one group's rows. Two groups may claim one key (two Services with one address): the one of
 * the lower rank owns it, of equals the first in order of name, so that the outcome does not depend
 * on who came first; the others wait for it.
 */
function groupRunner<Out extends object>(
  { compute, output, rankOf = () => 0, onConflict, onResolved }: Derivation<Out>,
  dirty: Set<string>,
): { runGroup: (group: string) => void; isOwned: (key: string) => boolean } {
  const claims = new Map<string, Keys>()
  const owners = new Map<string, Owner>()
  const losers = new Map<string, Set<string>>()

  const lose = (key: string, owner: string, loser: string): void => {
    const waiting = losers.get(key) ?? new Set()
    if (!waiting.has(loser)) onConflict?.({ key, owner, loser })
    losers.set(key, waiting.add(loser))
  }

  const noLonger = (key: string, loser: string): void => {
    const waiting = losers.get(key)
    if (!waiting?.delete(loser)) return
    if (waiting.size === 0) losers.delete(key)
    onResolved?.({ key, loser })
  }

  const wakeLosers = (key: string): void => {
    for (const loser of losers.get(key) ?? []) dirty.add(loser)
  }

  const claim = (key: string, group: string, row: Out): void => {
    const owner = owners.get(key)
    const claimant = { group, rank: rankOf(row) }
    const isOwn = owner?.group === group
    if (owner && !isOwn && precedes(owner, claimant)) {
      lose(key, owner.group, group)
      return
    }
    if (owner && !isOwn) lose(key, group, owner.group)
    // Who lost against a lower rank may now win.
    if (isOwn && claimant.rank > owner.rank) wakeLosers(key)
    noLonger(key, group)
    owners.set(key, claimant)
    output.upsert(row)
  }

  const release = (key: string, group: string): void => {
    noLonger(key, group)
    if (owners.get(key)?.group !== group) return
    owners.delete(key)
    output.delete(key)
    wakeLosers(key)
  }

  const runGroup = (group: string): void => {
    const now = new Set<string>()
    for (const row of compute(group)) {
      const key = output.keyOf(row)
      if (now.has(key)) continue
      now.add(key)
      claim(key, group, row)
    }
    for (const key of unpack(claims.get(group))) if (!now.has(key)) release(key, group)
    if (now.size > 0) claims.set(group, pack(now))
    else claims.delete(group)
  }
  return { runGroup, isOwned: (key) => owners.has(key) }
}
