// Rows to rows: keeps an output table equal to a pure function of input tables, one group at a time.
import type { Table } from './table.ts'

/** One input: a change of a row concerns the groups that `groupsOf` names. */
export interface Input<Row extends object> {
  readonly table: Table<Row>
  readonly groupsOf: (row: Row) => Iterable<string>
}

export interface Derivation<Out extends object> {
  // biome-ignore lint/suspicious/noExplicitAny: inputs of one derivation have different row types
  readonly inputs: readonly Input<any>[]
  /** Pure: the rows of one group, from the tables as they are now. */
  readonly compute: (group: string) => readonly Out[]
  readonly output: Table<Out>
}

/**
 * Runs the derivation once for everything and then, coalesced, for each group touched by a change.
 * The output is marked initialized after the first run in which every input is. Returns the way to stop.
 */
export function derive<Out extends object>(
  derivation: Derivation<Out>,
  coalesceMs = 0,
): () => void {
  const { inputs, compute, output } = derivation
  const owned = new Map<string, Set<string>>()
  const owners = new Map<string, string>()
  const dirty = new Set<string>()
  const groups = inputs.map(() => new Map<string, Set<string>>())
  let timer: NodeJS.Timeout | undefined

  const touch = (input: number, key: string): void => {
    const source = inputs[input]
    const known = groups[input]
    if (!source || !known) return
    for (const group of known.get(key) ?? []) dirty.add(group)
    const row = source.table.get(key)
    const now = new Set(row ? source.groupsOf(row) : [])
    for (const group of now) dirty.add(group)
    if (now.size > 0) known.set(key, now)
    else known.delete(key)
  }

  const runGroup = (group: string): void => {
    const before = owned.get(group) ?? new Set<string>()
    const now = new Set<string>()
    for (const row of compute(group)) {
      const key = output.keyOf(row)
      const owner = owners.get(key)
      // Two groups may claim one key (two Services with one address): the first in order of name keeps it.
      if (owner !== undefined && owner !== group && owner < group) continue
      owners.set(key, group)
      now.add(key)
      output.upsert(row)
    }
    for (const key of before) {
      if (now.has(key) || owners.get(key) !== group) continue
      owners.delete(key)
      output.delete(key)
    }
    if (now.size > 0) owned.set(group, now)
    else owned.delete(group)
  }

  const run = (): void => {
    timer = undefined
    const batch = [...dirty]
    dirty.clear()
    for (const group of batch) runGroup(group)
    if (inputs.every(({ table }) => table.initialized)) output.markInitialized()
  }

  const wake = (): void => {
    timer ??= setTimeout(run, coalesceMs)
  }

  const stops = inputs.map(({ table }, input) => {
    for (const entry of table.entries()) touch(input, entry.key)
    return table.subscribe((key) => {
      if (key) touch(input, key)
      wake()
    })
  })
  wake()
  return () => {
    clearTimeout(timer)
    for (const stop of stops) stop()
  }
}
