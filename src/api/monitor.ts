// GET /v1/monitor: drop events as they happen, one JSON object per line; /v1/monitor/verdicts:
// every decision of policy too. A reader that is too slow loses events and is told how many; it
// never makes the agent hold them.
import type { ServerResponse } from 'node:http'
import type { Table } from '../state/table.ts'
import type { DatapathEvent, PolicyDecision } from '../tables/actual.ts'
import type { PolicyRule } from '../tables/policy.ts'
import { toJson } from './json.ts'
import type { ApiSources } from './sources.ts'

/** Streams until either side ends the response. */
export function streamEvents(
  response: ServerResponse,
  { subscribeEvents, tables }: ApiSources,
  { verdicts = false } = {},
): void {
  let missed = 0
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  const listener = (event: DatapathEvent): void => {
    if (!verdicts && !isNews(event)) return
    if (response.writableNeedDrain) {
      missed++
      return
    }
    if (missed > 0) response.write(`${toJson({ kind: 'missed', events: missed })}\n`)
    missed = 0
    response.write(`${toJson(withRule(event, tables.policyRules))}\n`)
  }
  response.once('close', subscribeEvents(listener, { verdicts }))
}

/** Drops, and what would be one if its namespace were not only watched. */
function isNews({ kind, policy }: DatapathEvent): boolean {
  return kind === 'drop' || policy?.verdict === 'audit'
}

function withRule(event: DatapathEvent, rules: Table<PolicyRule>) {
  const { policy, ...rest } = event
  return policy ? { ...rest, policy: { ...policy, rule: describeRule(policy, rules) } } : event
}

/** The rule in words; why there is none, when there is none. */
export function describeRule(
  { verdict, ruleId }: Pick<PolicyDecision, 'verdict' | 'ruleId'>,
  rules: Table<PolicyRule>,
): string {
  if (ruleId !== 0) return rules.get(String(ruleId))?.text ?? `rule ${ruleId}, which is gone`
  return verdict === 'open' ? 'nothing isolates it' : 'isolated, and no rule allows it'
}
