// `weir flow`: the connections the datapath knows, straight from the pinned flow table.
import { Command, InvalidArgumentError } from 'commander'
import { protocolName } from '../net/protocol.ts'
import type { FlowRecord } from '../tables/actual.ts'
import { openKernel } from './kernel.ts'
import { formatAge, printJson, printTable } from './output.ts'
import { addTargetOptions, type TargetOptions } from './target.ts'
import {
  addTupleFilters,
  formatDestination,
  formatSource,
  type TupleFilter,
  tupleMatcher,
} from './tuple.ts'

interface FlowOptions extends TargetOptions, TupleFilter {
  readonly limit?: number
}

/**
 * Entries that a person is shown unless asked otherwise; a full table has hundreds of thousands.
 */
const SHOWN = 1000

export function flowCommand(): Command {
  const command = new Command('flow').description('connections the datapath knows')
  const list = command
    .command('list')
    .description('entries of the flow table, two a connection; works without the agent')
    .option('--limit <count>', `entries shown (${SHOWN}; with -j all)`, parseCount)
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<FlowOptions>()
      const matches = tupleMatcher(options)
      const { inspect, inspected } = await openKernel(options)
      const records = inspect.listFlows(inspected).filter(({ tuple, out }) => matches(tuple, out))
      const limit = options.limit ?? (options.json ? records.length : SHOWN)
      if (options.json) printJson(records.slice(0, limit))
      else printFlows(records, limit)
    })
  addTargetOptions(addTupleFilters(list))
  return command
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('not a whole number.')
  return count
}

function printFlows(records: readonly FlowRecord[], limit: number): void {
  printTable(
    ['STATE', 'DIRECTION', 'PROTOCOL', 'FROM', 'TO', 'LEAVES AS', 'NEXT', 'PACKETS', 'IDLE'],
    records.slice(0, limit).map((record) => {
      const { state, direction, tuple, packets, idleSeconds, stale } = record
      return [
        ...[stale ? `${state}, stale` : state, direction, protocolName(tuple.protocol)],
        ...[formatSource(tuple), formatDestination(tuple), describeOut(record)],
        ...[describeNext(record), packets, formatAge(idleSeconds)],
      ]
    }),
  )
  const rest = records.length - limit
  if (rest > 0) process.stderr.write(`${rest} more entries, see --limit\n`)
}

function describeOut({ tuple, out }: FlowRecord): string {
  const source = formatSource(out)
  const destination = formatDestination(out)
  const same = source === formatSource(tuple) && destination === formatDestination(tuple)
  return same ? 'same' : `${source} > ${destination}`
}

/** An interface number, or the other node; flows to an endpoint carry the node they come from. */
function describeNext({ next, node, toIfindex }: FlowRecord): string {
  if (next === 'stack' || next === 'host') return next
  return node === undefined || next === 'endpoint' ? `${next} ${toIfindex}` : `${next} ${node}`
}
