// Frontends as wanted and as the kernel has them, one row per address, port and protocol, with
// every endpoint that could be a backend and what it is used for.
import { formatAddressPort } from '../net/address.ts'
import type { Entry } from '../state/table.ts'
import type { ActualFrontend } from '../tables/actual.ts'
import type { Backend, Frontend, FrontendKind, WhenEmpty } from '../tables/desired.ts'
import type { Service } from '../tables/intent.ts'
import type { Balancing, Forwarding } from '../tables/services.ts'
import { frontendKey, type Tables } from '../tables/tables.ts'
import { type BackendView, backendViews } from './backend-view.ts'
import { type DriftColumns, driftOf, type RowStatus } from './drift.ts'
import { statusColumns } from './row-status.ts'

export interface ServiceView extends DriftColumns, Partial<RowStatus> {
  /** "10.96.0.10:53/UDP". */
  readonly frontend: string
  /** "namespace/name", of a HostPort the pod's; empty for an entry that nobody asked for. */
  readonly service: string
  readonly portName: string
  readonly kind?: FrontendKind
  /** Number of the service port in the datapath, as flows carry it; absent while missing. */
  readonly id?: number
  /** For clients inside: "10.0.1.5:80", in slot order for actual ones. */
  readonly desired: readonly string[]
  readonly actual: readonly string[]
  /** For clients outside; the same where they do not differ. */
  readonly desiredOutside: readonly string[]
  readonly actualOutside: readonly string[]
  /** Every endpoint of the port, also those that are not used; absent in the list of all. */
  readonly backends?: readonly BackendView[]
  readonly rules?: FrontendRules
}

/** How a connection is treated. */
export interface FrontendRules {
  readonly policies: Pick<Service, 'internalTrafficPolicy' | 'externalTrafficPolicy'> | undefined
  readonly whenEmpty: WhenEmpty
  readonly externalWhenEmpty: WhenEmpty
  readonly affinitySeconds: number
  readonly balancing: Balancing
  readonly forwarding: Forwarding
  /** Absent: all may ask. */
  readonly sourceRanges?: readonly string[]
}

export type ServiceRows = Pick<Tables, 'services' | 'endpointSlices'> & {
  readonly frontends: Pick<Tables['frontends'], 'entries'>
}

export interface ViewOptions {
  /** The node that answers. */
  readonly nodeName: string
  /**
   * A Service as "namespace/name", an address, "address:port" or a whole frontend: its views alone,
   * with all endpoints. A cluster's endpoints at once would be more than anybody reads.
   */
  readonly wanted?: string
}

/** Joins by frontend key. Pure. */
export function serviceViews(
  tables: ServiceRows,
  actual: readonly ActualFrontend[],
  options: ViewOptions,
): ServiceView[] {
  const { wanted } = options
  const byKey = new Map(actual.map((row) => [frontendKey(row), row]))
  const views: ServiceView[] = []
  for (const entry of tables.frontends.entries()) {
    if (!isWanted(entry.key, entry.row.service, wanted)) {
      byKey.delete(entry.key)
      continue
    }
    views.push(wantedView(tables, entry, byKey.get(entry.key), options))
    byKey.delete(entry.key)
  }
  for (const [key, row] of byKey) if (isWanted(key, '', wanted)) views.push(extraView(key, row))
  return views.sort((a, b) => compare(a.service, b.service) || compare(a.frontend, b.frontend))
}

/** `frontend` is "10.96.0.10:53/UDP" or "[fd00::1]:53/UDP". */
function isWanted(frontend: string, service: string, wanted: string | undefined): boolean {
  if (wanted === undefined || wanted === service || wanted === frontend) return true
  const addressPort = frontend.slice(0, frontend.lastIndexOf('/'))
  const address = addressPort.slice(0, addressPort.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return wanted === addressPort || wanted === address
}

function wantedView(
  tables: ServiceRows,
  { key, row, status }: Entry<Frontend>,
  actual: ActualFrontend | undefined,
  { nodeName, wanted }: ViewOptions,
): ServiceView {
  const [desired, desiredOutside] = [row.backends.map(show), row.externalBackends.map(show)]
  const found = actual?.backends.map(show) ?? []
  const foundOutside = actual?.externalBackends.map(show) ?? []
  const differences = actual
    ? [
        ...backendDifferences(desired, found, `set ${actual.setId}`),
        ...backendDifferences(desiredOutside, foundOutside, `set ${actual.externalSetId}`),
        ...emptySlots(actual),
      ]
    : [`${key} is not in map services`]
  const slices = tables.endpointSlices.byIndex('service', row.service)
  const isOneSet = actual?.externalSetId === actual?.setId
  const held = [...(actual?.backends ?? []), ...(isOneSet ? [] : (actual?.externalBackends ?? []))]
  return {
    frontend: key,
    service: row.service,
    portName: row.portName,
    kind: row.kind,
    ...(actual ? { id: actual.id } : {}),
    desired,
    actual: found,
    desiredOutside,
    actualOutside: foundOutside,
    ...(wanted === undefined ? {} : { backends: backendViews(row, slices, { nodeName, held }) }),
    rules: rulesOf(row, tables.services.get(row.service)),
    ...statusColumns(status),
    ...driftOf(actual !== undefined, [...new Set(differences)]),
  }
}

function rulesOf(row: Frontend, service: Service | undefined): FrontendRules {
  const { whenEmpty, externalWhenEmpty, affinitySeconds, balancing, forwarding, sourceRanges } = row
  const isPod = row.kind === 'HostPort' || !service
  const { internalTrafficPolicy, externalTrafficPolicy } = service ?? ({} as Service)
  return {
    policies: isPod ? undefined : { internalTrafficPolicy, externalTrafficPolicy },
    ...{ whenEmpty, externalWhenEmpty, affinitySeconds, balancing, forwarding },
    ...(sourceRanges ? { sourceRanges } : {}),
  }
}

function extraView(key: string, row: ActualFrontend): ServiceView {
  const actual = row.backends.map(show)
  return {
    frontend: key,
    service: '',
    portName: '',
    id: row.id,
    desired: [],
    actual,
    desiredOutside: [],
    actualOutside: row.externalBackends.map(show),
    drift: 'extra',
    differences: [`${key} is in map services and no Service asked for it`],
  }
}

/** The order of slots is the datapath's own; sets are compared. */
function backendDifferences(
  wanted: readonly string[],
  found: readonly string[],
  set: string,
): string[] {
  const absent = wanted.filter((backend) => !found.includes(backend))
  const surplus = found.filter((backend) => !wanted.includes(backend))
  return [
    ...absent.map((backend) => `backend ${backend} is not in ${set}`),
    ...surplus.map((backend) => `backend ${backend} is in ${set} and not wanted`),
  ]
}

function emptySlots({ missingBackends, setId }: ActualFrontend): string[] {
  return missingBackends > 0 ? [`${missingBackends} slots of set ${setId} are empty`] : []
}

function show({ address, port }: Backend): string {
  return formatAddressPort(address, port)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
