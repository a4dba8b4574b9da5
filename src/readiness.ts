// What must be in force before a pod runs: CNI ADD answers only then, so that the pod's first
// packet already finds Services, its host ports and policy.
import { caughtUp, initialized } from './state/caught-up.ts'
import type { Entry } from './state/table.ts'
import { later } from './state/timer.ts'
import type { Frontend } from './tables/desired.ts'
import type { Endpoint } from './tables/intent.ts'
import type { Tables } from './tables/tables.ts'

export interface ReadinessOptions {
  readonly tables: Pick<Tables, 'frontends'>
  /** The frontends reconciler's settled(). */
  readonly settled: (key: string) => Promise<Entry<Frontend> | undefined>
  /** Resolves once policy for the endpoint's addresses is in force. */
  readonly policySettled?: (row: Endpoint) => Promise<void>
}

/**
 * Resolves when a pod that is attached may run; rejects with the reason when a host port of it is
 * refused. It waits as long as it takes: the caller has the limit.
 */
export async function inForce(row: Endpoint, options: ReadinessOptions): Promise<void> {
  const { tables, settled, policySettled } = options
  await initialized(tables.frontends)
  // Derivations run one turn after the row that woke them, and were asked before this.
  await new Promise<void>((resolve) => later(0, resolve))
  await caughtUp(tables.frontends, settled)
  if (row.hostPorts.length > 0) refuseFailed(row, tables)
  await policySettled?.(row)
}

function refuseFailed(
  { podNamespace, podName }: Endpoint,
  { frontends }: Pick<Tables, 'frontends'>,
) {
  const pod = `${podNamespace}/${podName}`
  for (const { key, row, status } of frontends.entries()) {
    if (row.kind !== 'HostPort' || row.service !== pod || status.state !== 'error') continue
    throw new Error(`host port ${key}: ${status.error}`)
  }
}
