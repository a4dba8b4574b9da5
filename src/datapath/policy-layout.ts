// Rows of policy as entries of the maps, and back.
import {
  type Prefix,
  parsePrefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
} from '../net/prefix.ts'
import { IDENTITY, type PolicyEntry, type PolicySet } from '../tables/policy.ts'
import type { EntryMap } from './entry-map.ts'
import * as layout from './layout.gen.ts'

export type RuleMap = EntryMap<layout.PolicyKey, layout.PolicyRule>

/** Bits of a key before the port: set, identity, protocol, direction. */
const BITS_BEFORE_PORT = 80

/** Lengths are of the 16-byte form: an IPv4 /24 is 120. */
export function cidrKeyOf(prefix: Prefix): layout.CidrKey {
  const widened = prefixFamily(prefix) === 4 ? 96 : 0
  return { prefixLength: prefixLength(prefix) + widened, address: prefixAddress(prefix) }
}

export function cidrPrefixOf({ address, prefixLength: length }: layout.CidrKey): Prefix {
  return parsePrefix(`${address}/${address.includes(':') ? length : length - 96}`)
}

export function ruleEntry(
  policyId: number,
  direction: PolicySet['direction'],
  { identity, protocol, port, portBits, verdict, ruleId }: PolicyEntry,
): readonly [layout.PolicyKey, layout.PolicyRule] {
  const { EGRESS, INGRESS } = layout.PolicyDirection
  const { ALLOW, DENY } = layout.PolicyVerdict
  const key = {
    prefixLength: BITS_BEFORE_PORT + portBits,
    policyId,
    identity,
    protocol,
    direction: direction === 'egress' ? EGRESS : INGRESS,
    port,
  }
  return [key, { verdict: verdict === 'allow' ? ALLOW : DENY, ruleId }]
}

/** Every set that the map holds, under the kernel's ids. */
export function readSets(map: RuleMap): Map<number, PolicySet> {
  const sets = new Map<number, PolicySet & { entries: PolicyEntry[] }>()
  for (const [key, { verdict, ruleId }] of map.entries()) {
    const { policyId, identity, protocol, direction, port, prefixLength } = key
    const set = sets.get(policyId) ?? {
      id: policyId,
      direction: direction === layout.PolicyDirection.EGRESS ? 'egress' : 'ingress',
      entries: [],
    }
    sets.set(policyId, set)
    set.entries.push({
      ...{ identity, protocol, port, portBits: prefixLength - BITS_BEFORE_PORT, ruleId },
      verdict: verdict === layout.PolicyVerdict.ALLOW ? 'allow' : 'deny',
    })
  }
  return sets
}

/** Tells two entries of a set apart. */
export function entryKey({ identity, protocol, port, portBits }: PolicyEntry): string {
  return `${identity} ${protocol} ${port} ${portBits}`
}

/** Six bits: which kinds of entries a set has (enum endpoint_policy_flags). */
export function kindsOf(entries: readonly PolicyEntry[]): number {
  return entries.reduce((kinds, entry) => kinds | kindOf(entry), 0)
}

/** The bit without which no program looks for the entry. */
export function kindOf({ identity, protocol }: PolicyEntry): number {
  return 1 << (2 * levelOf(identity) + (protocol === 0 ? 1 : 0))
}

/** Where the kinds of entries begin in the flags of a pod, as in bpf/lib/policy.h. */
export const KINDS_SHIFT = { egress: 8, ingress: 16 } as const

function levelOf(identity: number): 0 | 1 | 2 {
  if (identity === IDENTITY.any) return 2
  const { unknownPod, pods4, pods6 } = IDENTITY
  return identity === unknownPod || identity === pods4 || identity === pods6 ? 1 : 0
}
