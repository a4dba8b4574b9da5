// `weir flow`: the connections the datapath knows, straight from the pinned flow table.
import { Command, InvalidArgumentError } from 'commander'
import { protocolName } from '../net/protocol.ts'
import type { FlowRecord } from '../tables/actual.ts'
import { openKernel } from './kernel.ts'
import { formatAge, printJson, printTable } from './output.ts'
import { readRuleNames } from './policy-rules.ts'
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
      else printFlows(records, limit, await readRules(options, records))
    })
  addTargetOptions(addTupleFilters(list))
  return command
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('not a whole number.')
  return count
}

/** What rules are called; empty while the agent is away, then their numbers have to do. */
async function readRules(
  options: TargetOptions,
  records: readonly FlowRecord[],
): Promise<ReadonlyMap<number, string>> {
  if (!records.some(({ egressRule, ingressRule }) => egressRule + ingressRule > 0)) return new Map()
  try {
    return await readRuleNames(options)
  } catch {
    return new Map()
  }
}

function printFlows(
  records: readonly FlowRecord[],
  limit: number,
  rules: ReadonlyMap<number, string>,
): void {
  printTable(
    [
      ...['STATE', 'DIRECTION', 'PROTOCOL', 'FROM', 'TO', 'LEAVES AS', 'NEXT', 'PACKETS', 'IDLE'],
      'RULES',
    ],
    records.slice(0, limit).map((record) => {
      const { state, direction, tuple, packets, idleSeconds, stale } = record
      return [
        ...[stale ? `${state}, stale` : state, direction, protocolName(tuple.protocol)],
        ...[formatSource(tuple), formatDestination(tuple), describeOut(record)],
        ...[describeNext(record), packets, formatAge(idleSeconds), describeRules(record, rules)],
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

/** What let it be, on either side; '-': nothing isolates them. */
function describeRules(
  { egressRule, ingressRule }: FlowRecord,
  rules: ReadonlyMap<number, string>,
): string {
  const name = (id: number): string => rules.get(id) ?? `rule ${id}`
  const ids = [egressRule, ingressRule].filter((id) => id > 0)
  return ids.map(name).join('; ') || '-'
}
