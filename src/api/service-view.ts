// Frontends as wanted and as the kernel has them, one row per address, port and protocol.
import { formatAddressPort } from '../net/address.ts'
import type { Entry } from '../state/table.ts'
import type { ActualFrontend } from '../tables/actual.ts'
import type { Backend, Frontend } from '../tables/desired.ts'
import { frontendKey } from '../tables/tables.ts'
import { type DriftColumns, driftOf, type RowStatus } from './drift.ts'
import { statusColumns } from './row-status.ts'

export interface ServiceView extends DriftColumns, Partial<RowStatus> {
  /** "10.96.0.10:53/UDP". */
  readonly frontend: string
  /** "namespace/name", empty for an entry that no Service asked for. */
  readonly service: string
  readonly portName: string
  /** Frontend number in the datapath, as flows carry it; absent while missing. */
  readonly id?: number
  /** "10.0.1.5:80", in slot order for actual ones. */
  readonly desired: readonly string[]
  readonly actual: readonly string[]
}

/** Joins by frontend key. Pure. */
export function serviceViews(
  desired: Iterable<Entry<Frontend>>,
  actual: readonly ActualFrontend[],
): ServiceView[] {
  const byKey = new Map(actual.map((row) => [frontendKey(row), row]))
  const views: ServiceView[] = []
  for (const entry of desired) {
    views.push(wantedView(entry, byKey.get(entry.key)))
    byKey.delete(entry.key)
  }
  views.push(...[...byKey].map(([key, row]) => extraView(key, row)))
  return views.sort((a, b) => compare(a.service, b.service) || compare(a.frontend, b.frontend))
}

function wantedView(
  { key, row, status }: Entry<Frontend>,
  actual: ActualFrontend | undefined,
): ServiceView {
  const wanted = row.backends.map(show)
  const found = actual?.backends.map(show) ?? []
  const differences = actual
    ? backendDifferences(wanted, found, actual)
    : [`${key} is not in map services`]
  return {
    frontend: key,
    service: row.service,
    portName: row.portName,
    ...(actual ? { id: actual.id } : {}),
    desired: wanted,
    actual: found,
    ...statusColumns(status),
    ...driftOf(actual !== undefined, differences),
  }
}

function extraView(key: string, row: ActualFrontend): ServiceView {
  return {
    frontend: key,
    service: '',
    portName: '',
    id: row.id,
    desired: [],
    actual: row.backends.map(show),
    drift: 'extra',
    differences: [`${key} is in map services and no Service asked for it`],
  }
}

/** The order of slots is the datapath's own; sets are compared. */
function backendDifferences(
  wanted: readonly string[],
  found: readonly string[],
  { missingBackends, setId }: ActualFrontend,
): string[] {
  const absent = wanted.filter((backend) => !found.includes(backend))
  const surplus = found.filter((backend) => !wanted.includes(backend))
  return [
    ...absent.map((backend) => `backend ${backend} is not in set ${setId}`),
    ...surplus.map((backend) => `backend ${backend} is in set ${setId} and not wanted`),
    ...(missingBackends > 0 ? [`${missingBackends} slots of set ${setId} are empty`] : []),
  ]
}

function show({ address, port }: Backend): string {
  return formatAddressPort(address, port)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
