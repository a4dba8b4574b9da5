// Pods that policy has closed, and whether its sets will soon not fit, for whoever asks how this
// agent fares.
import { POLICY_BUDGET } from './control/policy/compiler.ts'
import type { Problem } from './kube/conditions.ts'
import type { EndpointPolicy } from './tables/policy.ts'
import type { Tables } from './tables/tables.ts'

const MAX_NAMED = 5
/** From here on people are told. */
const NEAR = 0.9

/** How full the sets are, of the node as a whole; what does not fit closes pods. */
export function policyRoom(
  { policySets, endpointPolicies }: Tables,
  budget = POLICY_BUDGET,
): readonly Problem[] {
  const { PolicyTooLarge: closed = 0 } = countClosed(endpointPolicies.rows())
  if (closed > 0) {
    const state = `there is room for ${budget} entries, ${closed} addresses are closed`
    return [{ reason: 'PolicyMapFull', text: `Cannot hold every policy: ${state}` }]
  }
  let needed = 0
  for (const { entries } of policySets.rows()) needed += entries.length
  if (needed < budget * NEAR) return []
  const state = `policies need ${needed} of ${budget} entries`
  return [{ reason: 'PolicyMapNearlyFull', text: `Cannot promise room: ${state}` }]
}

/** A sentence for each pod, of many the first few. */
export function policyProblems({ endpoints, endpointPolicies }: Tables): readonly string[] {
  const problems = new Set<string>()
  for (const { endpoint, closed } of endpointPolicies.rows()) {
    if (!closed) continue
    const row = endpoints.get(endpoint)
    const pod = row ? `${row.podNamespace}/${row.podName}` : endpoint
    problems.add(`${closed.condition}: pod ${pod} is closed: ${closed.text}`)
  }
  const named = [...problems].sort().slice(0, MAX_NAMED)
  const more = problems.size - named.length
  return more > 0 ? [...named, `${more} more pods are closed by policy`] : named
}

/** How many addresses are closed, by condition; every condition is there. */
export function countClosed(rows: Iterable<EndpointPolicy>): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { PodUnknown: 0, PolicyTooLarge: 0 }
  for (const { closed } of rows) {
    if (closed) counts[closed.condition] = (counts[closed.condition] ?? 0) + 1
  }
  return counts
}
