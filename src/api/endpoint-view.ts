// Endpoints as wanted and as the kernel has them, one row per attachment; an entry of map
// `endpoints` that no attachment asked for is a row of its own.
import type { Entry, Table } from '../state/table.ts'
import type { ActualEndpoint } from '../tables/actual.ts'
import type { Endpoint } from '../tables/intent.ts'
import { type EndpointPolicy, POLICY_OPEN } from '../tables/policy.ts'
import type { Tables } from '../tables/tables.ts'
import { type DriftColumns, driftOf, fieldDifferences, type RowStatus } from './drift.ts'
import type { PolicyDrift } from './policy-drift.ts'
import { statusColumns } from './row-status.ts'

export interface EndpointView extends DriftColumns, Partial<RowStatus> {
  readonly id: number
  /** "namespace/name", empty for an entry that nobody asked for. */
  readonly pod: string
  readonly addresses: readonly string[]
  readonly hostIfName: string
  readonly mac: string
  readonly mtu: number
  /** "ingress", "egress (audit)", "ingress, egress", "closed: PodUnknown"; absent: not isolated. */
  readonly isolated?: string
  /** As asked for; absent for an extra entry. */
  readonly desired?: Endpoint
  /** Entries of map `endpoints`, one per address. */
  readonly actual: readonly ActualEndpoint[]
}

/** Joins by address. Pure. */
export function endpointViews(
  tables: Tables,
  actual: readonly ActualEndpoint[],
  drift: PolicyDrift,
): EndpointView[] {
  const byAddress = new Map(actual.map((row) => [row.address, row]))
  const views: EndpointView[] = []
  for (const entry of tables.endpoints.entries()) {
    const isolation = isolationOf(entry.row, tables.endpointPolicies)
    views.push({ ...wantedView(entry, byAddress, drift), ...isolation })
    for (const address of entry.row.addresses) byAddress.delete(address)
  }
  views.push(...[...byAddress.values()].map(extraView), ...drift.extra.map(extraPolicyView))
  return views.sort((a, b) => a.id - b.id)
}

/** The addresses of a pod have the same policies. */
function isolationOf(
  { addresses }: Endpoint,
  policies: Table<EndpointPolicy>,
): Pick<EndpointView, 'isolated'> {
  const policy = policies.get(addresses[0] ?? '')
  if (!policy) return {}
  if (policy.closed) return { isolated: `closed: ${policy.closed.condition}` }
  const directions = (['ingress', 'egress'] as const).filter((each) => policy[each] !== POLICY_OPEN)
  if (directions.length === 0) return {}
  return { isolated: `${directions.join(', ')}${policy.audit ? ' (audit)' : ''}` }
}

function wantedView(
  { row, status }: Entry<Endpoint>,
  byAddress: ReadonlyMap<string, ActualEndpoint>,
  drift: PolicyDrift,
): EndpointView {
  const wanted = {
    id: row.id,
    hostIfName: row.hostIfName,
    mac: row.mac,
    hostMac: row.hostMac,
    mtu: row.mtu,
  }
  const found = row.addresses.flatMap((address) => byAddress.get(address) ?? [])
  const differences = row.addresses.flatMap((address) => {
    const is = byAddress.get(address)
    if (!is) return [`${address} is not in map endpoints`]
    const fields = fieldDifferences<ActualEndpoint>(wanted, is)
    return [...fields.map((text) => `${address}: ${text}`), ...drift.of(address)]
  })
  return {
    id: row.id,
    pod: `${row.podNamespace}/${row.podName}`,
    addresses: row.addresses,
    hostIfName: row.hostIfName,
    mac: row.mac,
    mtu: row.mtu,
    ...statusColumns(status),
    ...driftOf(found.length > 0 || row.addresses.length === 0, differences),
    desired: row,
    actual: found,
  }
}

function extraView(row: ActualEndpoint): EndpointView {
  return {
    id: row.id,
    pod: '',
    addresses: [row.address],
    hostIfName: row.hostIfName ?? '',
    mac: row.mac,
    mtu: row.mtu,
    drift: 'extra',
    differences: [`${row.address} is in map endpoints and no pod asked for it`],
    actual: [row],
  }
}

function extraPolicyView(address: string): EndpointView {
  return {
    ...{ id: 0, pod: '', addresses: [address], hostIfName: '', mac: '', mtu: 0 },
    drift: 'extra',
    differences: [`${address} is in map pod_policies and no pod asked for it`],
    actual: [],
  }
}
