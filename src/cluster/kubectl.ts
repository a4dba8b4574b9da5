// kubectl of the cluster's own version, as its administrator, from this machine's network.
import { join } from 'node:path'
import { run } from '../lab/run.ts'
import { clusterPaths } from './paths.ts'
import type { ClusterRecord } from './record.ts'

/** Its output. Throws with what it said. */
export function kubectl(
  { bin }: Pick<ClusterRecord, 'bin'>,
  args: readonly string[],
  input?: string,
  timeoutMs = 60_000,
): Promise<string> {
  const options = input === undefined ? { timeoutMs } : { input, timeoutMs }
  const all = ['--kubeconfig', clusterPaths().kubeconfig, ...args]
  return run(`kubectl ${args.slice(0, 2).join(' ')}`, join(bin, 'kubectl'), all, options)
}
