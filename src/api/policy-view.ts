// Policies as they were asked for, whom each selects on this node, and what became of it there.

import type { Entry } from '../state/table.ts'
import type {
  ClusterNetworkPolicy,
  EndpointPolicy,
  NetworkPolicy,
  PolicyClause,
  PolicyDirection,
  PolicyEntry,
} from '../tables/policy.ts'
import type { Tables } from '../tables/tables.ts'
import { type DriftColumns, driftOf } from './drift.ts'
import { identityHolders } from './identity-view.ts'
import type { PolicyDrift } from './policy-drift.ts'
import { formatEntry, formatPeer, formatPort, identityNames, whoIs } from './policy-words.ts'

export interface PolicyRuleView {
  /** "ingress rule 1", with the name that a cluster policy gives it. */
  readonly rule: string
  readonly action: string
  /** As they were asked for, in words. */
  readonly peers: readonly string[]
  readonly ports: readonly string[]
  /** Whom and what it decides on this node, where no wider entry does: "db/db-0: TCP 5432". */
  readonly entries: readonly string[]
}

export interface PolicyView extends DriftColumns {
  readonly kind: 'NetworkPolicy' | 'ClusterNetworkPolicy'
  /** "namespace/name", or the name alone. */
  readonly name: string
  /** "NetworkPolicy", or the tier and the priority: "Admin 10". */
  readonly tier: string
  readonly directions: readonly PolicyDirection[]
  /** Pods of this node that it selects, "namespace/name". */
  readonly selects: readonly string[]
  /** none: it selects nobody here; closed: what it selects is, for the reasons in `problems`. */
  readonly state: 'none' | 'pending' | 'done' | 'error' | 'closed'
  /** In the sets of those whom it selects; shared with their other policies. */
  readonly entries: number
  readonly problems: readonly string[]
  readonly rules: readonly PolicyRuleView[]
}

export function policyViews(tables: Tables, drift: PolicyDrift): PolicyView[] {
  const selected = selectedBy(tables)
  const names = identityNames(identityHolders(tables))
  const texts = new Map([...tables.policyRules.rows()].map(({ id, text }) => [id, text]))
  const context = { tables, selected, names, texts, drift }
  return [
    ...[...tables.clusterNetworkPolicies.rows()].map((row) =>
      view(context, { kind: 'ClusterNetworkPolicy', name: row.name, row, tier: tierOf(row) }),
    ),
    ...[...tables.networkPolicies.rows()].map((row) => {
      const name = `${row.namespace}/${row.name}`
      return view(context, { kind: 'NetworkPolicy', name, row, tier: 'NetworkPolicy' })
    }),
  ].sort((a, b) => (`${a.kind} ${a.name}` < `${b.kind} ${b.name}` ? -1 : 1))
}

interface Context {
  readonly tables: Tables
  readonly selected: ReadonlyMap<string, readonly Entry<EndpointPolicy>[]>
  readonly names: ReadonlyMap<number, string>
  readonly texts: ReadonlyMap<number, string>
  readonly drift: PolicyDrift
}

interface Subject {
  readonly kind: PolicyView['kind']
  readonly name: string
  readonly tier: string
  readonly row: NetworkPolicy | ClusterNetworkPolicy
}

function view(context: Context, { kind, name, tier, row }: Subject): PolicyView {
  const { tables, selected } = context
  const rows = selected.get(`${kind} ${name}`) ?? []
  const sets = new Set(rows.flatMap((entry) => [entry.row.ingress, entry.row.egress]))
  const entries = [...sets].flatMap((id) => tables.policySets.get(String(id))?.entries ?? [])
  const closures = rows.flatMap(({ row: { closed, endpoint } }) =>
    closed ? [`${closed.condition}: ${podOf(tables, endpoint)} is closed: ${closed.text}`] : [],
  )
  const errors = rows.flatMap(({ status }) => (status.state === 'error' ? [status.error] : []))
  const directions = DIRECTIONS.filter((direction) =>
    kind === 'NetworkPolicy' ? row[direction] !== undefined : (row[direction] ?? []).length > 0,
  )
  return {
    ...{ kind, name, tier, directions },
    selects: [...new Set(rows.map((entry) => podOf(tables, entry.row.endpoint)))].sort(),
    state: stateOf(rows, closures, errors),
    entries: entries.length,
    ...driftOf(true, [
      ...new Set(rows.flatMap(({ row: { address } }) => context.drift.of(address))),
    ]),
    problems: [...new Set([...row.problems, ...closures, ...errors])],
    rules: directions.flatMap((direction) =>
      (row[direction] ?? []).map((clause, at) => {
        const rule = `${direction} rule ${at + 1}`
        return ruleView(clause, { rule, key: `${kind} ${name}, ${rule}`, entries, context })
      }),
    ),
  }
}

const DIRECTIONS = ['ingress', 'egress'] as const

function stateOf(
  rows: readonly Entry<EndpointPolicy>[],
  closures: readonly string[],
  errors: readonly string[],
): PolicyView['state'] {
  if (rows.length === 0) return 'none'
  if (closures.length > 0) return 'closed'
  if (errors.length > 0) return 'error'
  return rows.some(({ status }) => status.state === 'pending') ? 'pending' : 'done'
}

function ruleView(
  clause: PolicyClause & { readonly action?: string; readonly name?: string },
  about: { rule: string; key: string; entries: readonly PolicyEntry[]; context: Context },
): PolicyRuleView {
  const { names, texts } = about.context
  const isOwn = ({ ruleId }: PolicyEntry): boolean => {
    const text = texts.get(ruleId) ?? ''
    const rest = text.slice(about.key.length)
    return text.startsWith(about.key) && (rest === '' || rest[0] === ',' || rest[0] === ' ')
  }
  const own = about.entries.filter(isOwn)
  return {
    rule: clause.name ? `${about.rule} (${clause.name})` : about.rule,
    action: clause.action ?? 'Accept',
    peers: clause.peers?.map(formatPeer) ?? ['everybody'],
    ports: clause.ports?.map(formatPort) ?? ['all protocols and ports'],
    entries: [
      ...new Set(own.map((entry) => `${whoIs(entry.identity, names)}: ${formatEntry(entry)}`)),
    ],
  }
}

function selectedBy({ endpointPolicies }: Tables): Map<string, Entry<EndpointPolicy>[]> {
  const selected = new Map<string, Entry<EndpointPolicy>[]>()
  for (const entry of endpointPolicies.entries()) {
    for (const key of entry.row.policies ?? []) {
      const list = selected.get(key)
      if (list) list.push(entry)
      else selected.set(key, [entry])
    }
  }
  return selected
}

function podOf({ endpoints }: Tables, key: string): string {
  const row = endpoints.get(key)
  return row ? `${row.podNamespace}/${row.podName}` : key
}

function tierOf({ tier, priority }: ClusterNetworkPolicy): string {
  return `${tier} ${priority}`
}
