// A pod is isolated from its first packet: when the policy of a new endpoint is in force.
import { initialized } from './state/caught-up.ts'
import type { Entry } from './state/table.ts'
import type { Endpoint } from './tables/intent.ts'
import type { EndpointPolicy } from './tables/policy.ts'
import { endpointKey, type Tables } from './tables/tables.ts'

export interface PolicySettledOptions {
  readonly tables: Pick<Tables, 'endpoints' | 'endpointPolicies'>
  /** The endpointPolicies reconciler's settled(). */
  readonly settled: (key: string) => Promise<Entry<EndpointPolicy> | undefined>
}

/**
 * Resolves once the policy of each of the endpoint's addresses is in force, which needs its Pod to
 * be known where policies may concern it; also when the endpoint is gone. Rejects when it cannot.
 */
export async function policySettled(row: Endpoint, options: PolicySettledOptions): Promise<void> {
  const { tables, settled } = options
  const { endpoints, endpointPolicies } = tables
  const key = endpointKey(row)
  await initialized(endpointPolicies)
  for (const address of row.addresses) {
    while (endpoints.get(key) === row) {
      const policy = endpointPolicies.get(address)
      if (policy?.endpoint !== key || policy.closed?.condition === 'PodUnknown') {
        await nextChange(tables)
        continue
      }
      const entry = await settled(address)
      if (entry?.status.state === 'error') throw new Error(`policy: ${entry.status.error}`)
      if (entry?.row === policy) break
    }
  }
}

function nextChange({ endpoints, endpointPolicies }: PolicySettledOptions['tables']) {
  return new Promise<void>((resolve) => {
    const stops = [endpoints, endpointPolicies].map((table) =>
      table.subscribe(() => {
        for (const stop of stops) stop()
        resolve()
      }),
    )
  })
}
