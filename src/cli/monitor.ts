// `weir monitor`: drops as they happen, until interrupted.

import { uptime } from 'node:os'
import { Command } from 'commander'
import { protocolName } from '../net/protocol.ts'
import type { DatapathEvent } from '../tables/actual.ts'
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
  | (Omit<DatapathEvent, 'timeNs'> & { readonly timeNs: number })
  | { readonly kind: 'missed'; readonly events: number }

interface MonitorOptions extends TargetOptions, TupleFilter {
  readonly reason?: string
}

export function monitorCommand(): Command {
  const command = new Command('monitor')
    .description('drops as they happen: when, why, where, which packet')
    .option('--reason <name>', 'only this drop reason')
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<MonitorOptions>()
      const { socket } = await findTarget(options)
      const matches = tupleMatcher(options)
      for await (const line of streamAgent<Line>(socket, '/v1/monitor')) {
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

/** "12:34:56.789 no_route from_pod ifindex 12 TCP 10.0.1.5:1234 > 10.9.9.9:80 60 bytes". */
function describe(event: Exclude<Line, { kind: 'missed' }>): string {
  const { tuple, timeNs, reason, program, ifindex, lengthBytes } = event
  const at = new Date(Date.now() - uptime() * 1000 + timeNs / 1e6)
  const time = at.toISOString().slice(11, 23)
  const packet = `${formatSource(tuple)} > ${formatDestination(tuple)}`
  const where = `${program} ifindex ${ifindex}`
  return `${time} ${reason} ${where} ${protocolName(tuple.protocol)} ${packet} ${lengthBytes} bytes`
}
