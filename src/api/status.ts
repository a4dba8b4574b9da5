// The answer to GET /v1/status: what is wrong now first, then what the agent is, where, and how
// full.
import type { Status } from '../state/table.ts'
import type { FlowCounts } from '../tables/actual.ts'
import type { Routing } from '../tables/desired.ts'
import type { AgentFacts, SourceFacts } from './facts.ts'
import type { ApiSources } from './sources.ts'

export interface TableStatus {
  readonly name: string
  readonly rows: number
  readonly pending: number
  readonly error: number
  readonly initialized: boolean
}

export interface MapStatus {
  readonly name: string
  readonly entries: number
  readonly maxEntries: number
}

export interface AgentStatus extends AgentFacts {
  readonly ok: boolean
  /** Everything that is wrong now, one sentence each. */
  readonly wrong: readonly string[]
  readonly routingInUse: Readonly<Record<Routing, number>>
  readonly tables: readonly TableStatus[]
  readonly maps: readonly MapStatus[]
  readonly flows: FlowCounts | undefined
  /** Packets forwarded and dropped since the maps were made. */
  readonly forwarded: bigint
  readonly dropped: bigint
}

/** Rows in error that are listed by name; the rest is only counted. */
const MAX_NAMED_ERRORS = 20
const FULL = 0.9

/**
 * Reads everything once. A reading that fails becomes a line of `wrong`, for status must answer.
 */
export async function readStatus(sources: ApiSources): Promise<AgentStatus> {
  const wrong: string[] = []
  const read = async <T>(reading: () => T | Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await reading()
    } catch (error) {
      wrong.push((error as Error).message)
      return otherwise
    }
  }
  const facts = await sources.facts()
  const counted = (await read(sources.actual.maps, [])).flatMap(({ entries, ...map }) =>
    entries === undefined ? [] : [{ ...map, entries }],
  )
  const packets = await read(sources.actual.packets, [])
  const flows = await read(sources.actual.flows, undefined)
  wrong.push(...facts.problems, ...sourceProblems(facts.source), ...rowErrors(sources))
  for (const { name, entries, maxEntries, evicts } of counted) {
    if (evicts || entries < maxEntries * FULL) continue
    wrong.push(`Cannot promise room in map ${name}: ${entries} of ${maxEntries} entries used`)
  }
  const sum = (counts: typeof packets): bigint => counts.reduce((n, c) => n + c.packets, 0n)
  return {
    ...facts,
    ok: wrong.length === 0,
    wrong,
    routingInUse: countRouting(sources),
    tables: countTables(sources),
    maps: counted.map(({ name, entries, maxEntries }) => ({ name, entries, maxEntries })),
    flows,
    forwarded: sum(packets.filter(({ reason }) => reason === 'none')),
    dropped: sum(packets.filter(({ reason }) => reason !== 'none')),
  }
}

function sourceProblems({ kind, initialized, errors }: SourceFacts): string[] {
  const waiting = initialized ? [] : [`Cannot prune yet: the first list of ${kind} is not complete`]
  return [...waiting, ...errors]
}

function rowErrors({ tables }: ApiSources): string[] {
  const all: string[] = []
  for (const table of Object.values(tables)) {
    for (const { key, status } of table.entries()) {
      if (status.state !== 'error') continue
      // "Cannot serve shop/api at 10.96.0.12:80/TCP: ..." names the row, and better.
      const isNamed = table.name === tables.frontends.name && status.error.includes(key)
      all.push(isNamed ? status.error : `${table.name} ${key}: ${status.error}`)
    }
  }
  const rest = all.length - MAX_NAMED_ERRORS
  return rest > 0 ? [...all.slice(0, MAX_NAMED_ERRORS), `and ${rest} more rows in error`] : all
}

function countTables({ tables }: ApiSources): TableStatus[] {
  return Object.values(tables).map((table) => {
    const counts = { pending: 0, done: 0, error: 0 }
    for (const { status } of table.entries() as Iterable<{ status: Status }>) {
      counts[status.state]++
    }
    // A table that nobody reconciles keeps its rows pending for ever, which says nothing.
    const pending = table.reconciled ? counts.pending : 0
    const { name, size: rows, initialized } = table
    return { name, rows, pending, error: counts.error, initialized }
  })
}

/** Nodes reached by each way; a node counts once, by its first podCIDR. */
function countRouting({ tables }: ApiSources): Record<Routing, number> {
  const byNode = new Map<string, Routing>()
  for (const { nodeName, routing, kind } of tables.destinations.rows()) {
    if (kind === 'pods' && !byNode.has(nodeName)) byNode.set(nodeName, routing)
  }
  const routings = [...byNode.values()]
  return {
    vxlan: routings.filter((routing) => routing === 'vxlan').length,
    native: routings.filter((routing) => routing === 'native').length,
  }
}
