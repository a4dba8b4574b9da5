// Waiting for what a table asks for now, and for nothing that it may ask for later.
import type { Entry, Table } from './table.ts'

/**
 * Resolves once every row and deletion that is pending now was tried, well or not. `settled` is
 * that of the table's reconciler.
 */
export async function caughtUp<Row extends object>(
  table: Table<Row>,
  settled: (key: string) => Promise<Entry<Row> | undefined>,
): Promise<void> {
  const pending: string[] = []
  for (const entries of [table.entries(), table.deleted()]) {
    for (const { key, status } of entries) if (status.state === 'pending') pending.push(key)
  }
  for (const key of pending) await settled(key)
}

/** A table as far as its first list goes. */
export interface ListedTable {
  readonly initialized: boolean
  subscribe(listener: (key: string) => void): () => void
}

/** Resolves once the table has had its first list. */
export function initialized(table: ListedTable): Promise<void> {
  if (table.initialized) return Promise.resolve()
  return new Promise((resolve) => {
    const stop = table.subscribe(() => {
      if (!table.initialized) return
      stop()
      resolve()
    })
  })
}
