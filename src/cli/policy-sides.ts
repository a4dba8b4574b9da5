// The two ends of an explained connection in words: who decides there, what and by which rule.
import { formatEntry, whoIs } from '../api/policy-words.ts'
import type { ActualPolicyAnswer } from '../tables/actual.ts'
import { POLICY_CLOSED, type PolicyDirection } from '../tables/policy.ts'
import type { Foretold } from './policy-unasked.ts'

export interface ExplainedSide extends ActualPolicyAnswer {
  /** In words; absent: none decides. */
  readonly rule?: string
  /** Of a pod of another node, which decides. */
  readonly foretold?: Foretold
  /** Why nobody asks. */
  readonly reason?: string
}

/** What one end says, and below it how that came about. */
export function describeSide(
  direction: PolicyDirection,
  end: string,
  side: ExplainedSide,
  names: ReadonlyMap<number, string>,
): string[] {
  const { verdict, foretold, reason, rule } = side
  const start = `${direction} of ${end}:`
  if (foretold) {
    const { node, allowed } = foretold
    return [
      `${start} ${wordsOf(allowed ? 'allow' : 'deny', foretold.rule)}`,
      `  decided on ${node}, foretold from the policies known here; ask there to be certain`,
    ]
  }
  if (verdict === 'not_asked')
    return [`${start} not asked, ${reason ?? 'it is no pod of this node'}`]
  if (verdict === 'open') return [`${start} ${wordsOf('allow')}`]
  return [`${start} ${wordsOf(verdict, rule)}`, ...describeEntry(side, names)]
}

function wordsOf(verdict: 'allow' | 'deny' | 'audit', rule?: string): string {
  const word = {
    allow: 'allowed',
    deny: 'denied',
    audit: 'denied, but passes as its namespace is only watched',
  }[verdict]
  return rule === undefined ? `${word}, nothing isolates it` : `${word}: ${rule}`
}

/** Which entry of the map decided, and whom the other end was taken for. */
function describeEntry(
  { verdict, policyId, identity, entry }: ActualPolicyAnswer,
  names: ReadonlyMap<number, string>,
): string[] {
  if (policyId === POLICY_CLOSED) return []
  const name = whoIs(identity, names)
  const peer = name.startsWith('identity') ? name : `identity ${identity} (${name})`
  if (!entry) return [`  the peer is ${peer}, and set ${policyId} has no entry for it`]
  const text = formatEntry({ ...entry, verdict: verdict === 'allow' ? 'allow' : 'deny', ruleId: 0 })
  const found = `${whoIs(entry.identity, names)}: ${text}`
  return [`  the peer is ${peer}; set ${policyId} has "${found}"`]
}

/** In words, or its number while the agent is away. */
export function ruleOf(
  { verdict, ruleId, policyId }: ActualPolicyAnswer,
  rules: ReadonlyMap<number, string>,
): string | undefined {
  if (verdict === 'not_asked' || verdict === 'open') return undefined
  if (ruleId !== 0) return rules.get(ruleId) ?? `rule ${ruleId}`
  return policyId === POLICY_CLOSED
    ? 'it is closed, for its policies could not be put into force; see weir policy list'
    : 'it is isolated, and no rule allows it'
}
