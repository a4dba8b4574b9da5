// Memory that the first lists needed and nobody needs any more, given back to the kernel. V8 would
// keep it: an agent at rest allocates too little to make it look.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { initialized, type ListedTable } from './state/caught-up.ts'

/** A smaller heap has nothing to give back that would be worth a pause. */
const WORTH_BYTES = 64 * 2 ** 20

/**
 * Collects once, when all tables have had their first list and `idle` has resolved. It stops the
 * agent for a fifth of a second with 10k Services and 50k pods, and gives back 30 MiB there.
 * Resolves with whether it was worth it.
 */
export async function giveBackOnceRead(
  tables: readonly ListedTable[],
  idle: () => Promise<void>,
  worthBytes = WORTH_BYTES,
): Promise<boolean> {
  await Promise.all(tables.map(initialized))
  await idle()
  if (process.memoryUsage().heapTotal < worthBytes) return false
  collect()
  return true
}

/** The collection that V8 makes before it would give up: it compacts, and unmaps what is free. */
function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: object) => void
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
