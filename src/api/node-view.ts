// Nodes as the cluster has them, and how this node reaches each: the entries of map `destinations`
// and the host's routes that are wanted for it, and what the kernel has.
import type { Entry, Table } from '../state/table.ts'
import type { ActualDestination, ActualRoute } from '../tables/actual.ts'
import type { Destination, NodeRoute, Routing } from '../tables/desired.ts'
import type { Tables } from '../tables/tables.ts'
import { type Drift, type DriftColumns, fieldDifferences } from './drift.ts'

export interface NodeView extends DriftColumns {
  /** Empty for the row that collects what belongs to no node. */
  readonly name: string
  readonly addresses: readonly string[]
  readonly podCidrs: readonly string[]
  /** "local" for the node itself, "none" where nothing is wanted. */
  readonly routing: Routing | 'local' | 'none'
  readonly destinations: number
  readonly routes: number
  /** Texts of rows in error. */
  readonly errors: readonly string[]
}

/** Joins by prefix. Pure. `own` is the name of the node that answers. */
export function nodeViews(
  { nodes, destinations, nodeRoutes }: Pick<Tables, 'nodes' | 'destinations' | 'nodeRoutes'>,
  actual: { destinations: readonly ActualDestination[]; routes: readonly ActualRoute[] },
  own: string,
): NodeView[] {
  const findings = [
    ...joined(destinations, actual.destinations, 'destination', destinationWanted),
    ...joined(nodeRoutes, actual.routes, 'route', routeWanted),
  ]
  const views = [...nodes.rows()].map((node): NodeView => {
    const mine = findings.filter(({ nodeName }) => nodeName === node.name)
    const routing = node.name === own ? 'local' : routingOf(destinations, node.name)
    const { addresses, podCidrs } = node
    return { ...summary(node.name, mine), addresses, podCidrs, routing }
  })
  const strangers = findings.filter(({ nodeName }) => !nodes.get(nodeName))
  if (strangers.length > 0) {
    views.push({ ...summary('', strangers), addresses: [], podCidrs: [], routing: 'none' })
  }
  return views.sort((a, b) => (a.name < b.name ? -1 : 1))
}

interface Finding {
  readonly nodeName: string
  readonly kind: 'destination' | 'route'
  readonly drift: Drift
  readonly differences: readonly string[]
  readonly error?: string
}

/** One finding per wanted row, and one per actual row that nobody wants. */
function joined<
  Row extends { prefix: string; nodeName: string },
  Actual extends { prefix: string },
>(
  table: Table<Row>,
  actual: readonly Actual[],
  kind: Finding['kind'],
  wanted: (row: Row) => Partial<Actual> | undefined,
): Finding[] {
  const byPrefix = new Map(actual.map((row) => [row.prefix, row]))
  const findings: Finding[] = []
  for (const { row, status } of table.entries() as Iterable<Entry<Row>>) {
    const is = byPrefix.get(row.prefix)
    byPrefix.delete(row.prefix)
    const fields = wanted(row)
    const error = status.state === 'error' ? { error: `${row.prefix}: ${status.error}` } : {}
    const base = { nodeName: row.nodeName, kind, ...error }
    if (!fields) {
      findings.push({ ...base, drift: is ? 'stale' : 'ok', differences: [] })
    } else if (!is) {
      const text = `${kind} ${row.prefix} is not in the kernel`
      findings.push({ ...base, drift: 'missing', differences: [text] })
    } else {
      const differences = fieldDifferences<Actual>(fields, is).map(
        (text) => `${kind} ${row.prefix}: ${text}`,
      )
      findings.push({ ...base, drift: differences.length === 0 ? 'ok' : 'stale', differences })
    }
  }
  for (const prefix of byPrefix.keys()) {
    const text = `${kind} ${prefix} is in the kernel and no node asked for it`
    findings.push({ nodeName: '', kind, drift: 'extra', differences: [text] })
  }
  return findings
}

/** A row with a problem wants no entry; a range of Services leads to no node. */
function destinationWanted(row: Destination): Partial<ActualDestination> | undefined {
  const { nodeAddress, routing, kind, onLink, problem } = row
  if (problem !== undefined || kind === 'services') return undefined
  return { nodeAddress, routing, kind, onLink }
}

/** Through weir_host the device says it all: the next hop there is nobody's address. */
function routeWanted({ routing, nextHop }: NodeRoute): Partial<ActualRoute> {
  return routing === 'vxlan' ? { interfaceName: 'weir_host' } : { gateway: nextHop }
}

function routingOf(destinations: Table<Destination>, nodeName: string): Routing | 'none' {
  for (const row of destinations.rows()) {
    if (row.nodeName === nodeName && row.kind === 'pods') return row.routing
  }
  return 'none'
}

type Summary = Pick<
  NodeView,
  'name' | 'drift' | 'differences' | 'destinations' | 'routes' | 'errors'
>

/** The worst drift stands for the node. */
function summary(name: string, findings: readonly Finding[]): Summary {
  const worst = (['missing', 'stale', 'extra'] as const).find((drift) =>
    findings.some((finding) => finding.drift === drift),
  )
  return {
    name,
    drift: worst ?? 'ok',
    differences: findings.flatMap(({ differences }) => differences),
    destinations: findings.filter(({ kind }) => kind === 'destination').length,
    routes: findings.filter(({ kind }) => kind === 'route').length,
    errors: findings.flatMap(({ error }) => (error === undefined ? [] : [error])),
  }
}
