// Names of the rules of policy, from the agent, for whoever shows their numbers.
import type { Entry } from '../state/table.ts'
import type { PolicyRule } from '../tables/policy.ts'
import { readAgent } from './agent.ts'
import { findTarget, type TargetOptions } from './target.ts'

/** Text by number. Throws when the agent is away. */
export async function readRuleNames(options: TargetOptions): Promise<ReadonlyMap<number, string>> {
  const { socket } = await findTarget(options)
  const rules = await readAgent<Entry<PolicyRule>[]>(socket, '/v1/tables/policyRules')
  return new Map(rules.map(({ row: { id, text } }) => [id, text]))
}
