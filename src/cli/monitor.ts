// `weir monitor`: drops, and with --verdicts decisions of policy, as they happen, until
// interrupted.

import { uptime } from 'node:os'
import { Command } from 'commander'
import { protocolName } from '../net/protocol.ts'
import type { DatapathEvent, PolicyDecision } from '../tables/actual.ts'
import { streamAgent } from './agent.ts'
import { print } from './output.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'
import {
  addTupleFilters,
  formatDestination,
  formatSource,
  type TupleFilter,
  tupleMatcher,
} from './tuple.ts'

/** A line of /v1/monitor; times come as JSON numbers. */
type Line =
  | (Omit<DatapathEvent, 'timeNs' | 'policy'> & {
      readonly timeNs: number
      readonly policy?: PolicyDecision & { readonly rule: string }
    })
  | { readonly kind: 'missed'; readonly events: number }

interface MonitorOptions extends TargetOptions, TupleFilter {
  readonly reason?: string
  readonly verdicts?: boolean
}

export function monitorCommand(): Command {
  const command = new Command('monitor')
    .description('drops as they happen: when, why, where, which packet')
    .option('--reason <name>', 'only this drop reason')
    .option('--verdicts', 'also connections that policy allows, by which rule')
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<MonitorOptions>()
      const { socket } = await findTarget(options)
      const matches = tupleMatcher(options)
      const path = options.verdicts ? '/v1/monitor/verdicts' : '/v1/monitor'
      for await (const line of streamAgent<Line>(socket, path)) {
        if (line.kind === 'missed') {
          process.stderr.write(`${line.events} events missed: too slow a reader\n`)
        } else if (isWanted(line.reason, options) && matches(line.tuple)) {
          print(options.json ? JSON.stringify(line) : describe(line))
        }
      }
      throw new Error('Cannot go on: the agent has ended the stream')
    })
  return addTargetOptions(addTupleFilters(command))
}

function isWanted(reason: string, options: MonitorOptions): boolean {
  return options.reason === undefined || options.reason === reason
}

/**
 * "12:34:56.789 no_route from_pod ifindex 12 TCP 10.0.1.5:1234 > 10.9.9.9:80 60 bytes"; a decision
 * of policy ends with "ingress deny: NetworkPolicy shop/db ingress rule 1".
 */
function describe(event: Exclude<Line, { kind: 'missed' }>): string {
  const { tuple, timeNs, reason, program, ifindex, lengthBytes, kind, policy } = event
  const at = new Date(Date.now() - uptime() * 1000 + timeNs / 1e6)
  const time = at.toISOString().slice(11, 23)
  const packet = `${formatSource(tuple)} > ${formatDestination(tuple)}`
  const where = `${program} ifindex ${ifindex}`
  const what = kind === 'drop' ? reason : policy?.verdict
  const length = lengthBytes > 0 ? ` ${lengthBytes} bytes` : ''
  const why = policy ? `, ${policy.direction} ${policy.verdict}: ${policy.rule}` : ''
  return `${time} ${what} ${where} ${protocolName(tuple.protocol)} ${packet}${length}${why}`
}
