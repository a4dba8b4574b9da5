// What the programs find of policy in the pinned maps now, for those who compare it with the rows.
// Nothing is written, and the half that is not in force is not looked at.
import type { ActualIdentities, ActualPodPolicy, ActualPodRules } from '../tables/actual.ts'
import { POLICY_CLOSED, POLICY_OPEN, type PolicySet } from '../tables/policy.ts'
import { KernelMap } from './entry-map.ts'
import { readWord } from './epoch.ts'
import { type Inspected, withMap } from './inspect.ts'
import * as layout from './layout.gen.ts'
import { KINDS_SHIFT, kindOf, readSets } from './policy-layout.ts'
import { cidrTable, identityTable, podPolicyTable } from './policy-pairs.ts'

export function readIdentities(inspected: Inspected): ActualIdentities {
  const generation = readGeneration(inspected)
  const { identities, cidrIdentities } = layout.maps
  return {
    addresses: withMap(inspected, identities.name, (map) =>
      identityTable(new KernelMap(map, identities)).read(generation),
    ),
    prefixes: withMap(inspected, cidrIdentities.name, (map) =>
      cidrTable(new KernelMap(map, cidrIdentities)).read(generation),
    ),
  }
}

/** By the address of a local pod. */
export function readPodPolicies(inspected: Inspected): ReadonlyMap<string, ActualPodPolicy> {
  const generation = readGeneration(inspected)
  const { policy, podPolicies } = layout.maps
  const sets = withMap(inspected, policy.name, (map) => readSets(new KernelMap(map, policy)))
  const pods = withMap(inspected, podPolicies.name, (map) =>
    podPolicyTable(new KernelMap(map, podPolicies)).read(generation),
  )
  return new Map(
    [...pods].map(([address, { ingressPolicy, egressPolicy, flags }]) => [
      address,
      {
        ingress: rulesOf(sets, ingressPolicy, flags >> KINDS_SHIFT.ingress),
        egress: rulesOf(sets, egressPolicy, flags >> KINDS_SHIFT.egress),
        audit: (flags & layout.EndpointPolicyFlags.AUDIT) !== 0,
      },
    ]),
  )
}

function readGeneration(inspected: Inspected): number {
  return withMap(inspected, 'epoch', (map) => readWord(map, 'policyGeneration'))
}

/** Without what no program looks for; bits above the kinds are those of the other direction. */
function rulesOf(
  sets: ReadonlyMap<number, PolicySet>,
  number: number,
  kinds: number,
): ActualPodRules {
  if (number === POLICY_OPEN) return 'open'
  if (number === POLICY_CLOSED) return 'closed'
  return sets.get(number)?.entries.filter((entry) => (kinds & kindOf(entry)) !== 0) ?? []
}
