// Who runs where while an event's way is timed: the API server, etcd and the bench itself leave one
// CPU alone, as an API server does that is on another machine. Else the wait for it would be timed.
import { availableParallelism } from 'node:os'
import { runAnyway } from '../../lab/run.ts'

/** Works while these processes and this one keep to all CPUs but the last. */
export async function keepingAside<T>(pids: readonly number[], work: () => Promise<T>): Promise<T> {
  const last = availableParallelism() - 1
  if (last === 0) return work()
  const keepTo = async (cpus: string): Promise<void> => {
    for (const pid of [process.pid, ...pids]) {
      await runAnyway('taskset', ['-apc', cpus, String(pid)])
    }
  }
  await keepTo(`0-${last - 1}`)
  try {
    return await work()
  } finally {
    await keepTo(`0-${last}`)
  }
}
