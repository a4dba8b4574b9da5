// Rows to rows: keeps an output table equal to a pure function of input tables, one group at a
// time. Nothing is written before every input has had its first list: half a list must not look
// like a wish.
import type { Table } from './table.ts'
import { later } from './timer.ts'

/** One input: a change of a row concerns the groups that `groupsOf` names. */
export interface Input<Row extends object> {
  readonly table: Table<Row>
  readonly groupsOf: (row: Row) => Iterable<string>
}

export interface Derivation<Out extends object> {
  // biome-ignore lint/suspicious/noExplicitAny: inputs of one derivation have different row types
  readonly inputs: readonly Input<any>[]
  /**
   * Pure: the rows of one group, from the tables as they are now. Of rows with one key the first
   * counts.
   */
  readonly compute: (group: string) => readonly Out[]
  readonly output: Table<Out>
  /**
   * Called when a key that `owner` holds is claimed by `loser` too, once as long as both claim it.
   */
  readonly onConflict?: (conflict: { key: string; owner: string; loser: string }) => void
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
  const { inputs, output } = derivation
  const dirty = new Set<string>()
  const groups = inputs.map(() => new Map<string, readonly string[]>())
  const { runGroup, isOwned } = groupRunner(derivation, dirty)
  let cancel: (() => void) | undefined
  let first = true

  const touch = (at: number, { table, groupsOf }: Input<object>, key: string): void => {
    const known = groups[at]
    for (const group of known?.get(key) ?? []) dirty.add(group)
    const row = table.get(key)
    const now = row ? [...groupsOf(row)] : []
    for (const group of now) dirty.add(group)
    if (now.length > 0) known?.set(key, now)
    else known?.delete(key)
  }

  const run = (): void => {
    cancel = undefined
    if (!inputs.every(({ table }) => table.initialized)) return
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

/**
 * Writes one group's rows. Two groups may claim one key (two Services with one address): the first
 * in order of name owns it, so that the outcome does not depend on who came first; the others wait
 * for it.
 */
function groupRunner<Out extends object>(
  { compute, output, onConflict }: Derivation<Out>,
  dirty: Set<string>,
): { runGroup: (group: string) => void; isOwned: (key: string) => boolean } {
  const claims = new Map<string, ReadonlySet<string>>()
  const owners = new Map<string, string>()
  const losers = new Map<string, Set<string>>()

  const lose = (key: string, owner: string, loser: string): void => {
    const waiting = losers.get(key) ?? new Set()
    if (!waiting.has(loser)) onConflict?.({ key, owner, loser })
    losers.set(key, waiting.add(loser))
  }

  const noLonger = (key: string, loser: string): void => {
    const waiting = losers.get(key)
    if (waiting?.delete(loser) && waiting.size === 0) losers.delete(key)
  }

  const claim = (key: string, group: string, row: Out): void => {
    const owner = owners.get(key)
    if (owner !== undefined && owner < group) {
      lose(key, owner, group)
      return
    }
    if (owner !== undefined && owner !== group) lose(key, group, owner)
    noLonger(key, group)
    owners.set(key, group)
    output.upsert(row)
  }

  const release = (key: string, group: string): void => {
    noLonger(key, group)
    if (owners.get(key) !== group) return
    owners.delete(key)
    output.delete(key)
    for (const loser of losers.get(key) ?? []) dirty.add(loser)
  }

  const runGroup = (group: string): void => {
    const now = new Set<string>()
    for (const row of compute(group)) {
      const key = output.keyOf(row)
      if (now.has(key)) continue
      now.add(key)
      claim(key, group, row)
    }
    for (const key of claims.get(group) ?? []) if (!now.has(key)) release(key, group)
    if (now.size > 0) claims.set(group, now)
    else claims.delete(group)
  }
  return { runGroup, isOwned: (key) => owners.has(key) }
}
