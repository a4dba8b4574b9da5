// Tables and maps as text that a person can review: a line per row or entry, sorted.
import * as layout from '../../src/datapath/layout.gen.ts'
import { formatAddressPort } from '../../src/net/address.ts'
import { protocolName } from '../../src/net/protocol.ts'
import type { Table } from '../../src/state/table.ts'
import type {
  Backend,
  Destination,
  Frontend,
  NodeRoute,
  WhenEmpty,
} from '../../src/tables/desired.ts'
import type { EndpointSlice, Node, Pod, Service, SliceEndpoint } from '../../src/tables/intent.ts'
import type { Tables } from '../../src/tables/tables.ts'
import type { ScriptMaps } from './maps.ts'

const TABLES: Readonly<Record<string, (tables: Tables) => string>> = {
  nodes: ({ nodes }) => dumpTable(nodes, formatNode),
  pods: ({ pods }) => dumpTable(pods, formatPod),
  services: ({ services }) => dumpTable(services, formatService),
  endpointSlices: ({ endpointSlices }) => dumpTable(endpointSlices, formatSlice),
  frontends: ({ frontends }) => dumpTable(frontends, formatFrontend),
  destinations: ({ destinations }) => dumpTable(destinations, formatDestination),
  nodeRoutes: ({ nodeRoutes }) => dumpTable(nodeRoutes, formatRoute),
}

/** A table by its name, or undefined when there is none of that name. */
export function dumpNamedTable(name: string, tables: Tables): string | undefined {
  return TABLES[name]?.(tables)
}

/** Rows in error end with what is wrong. */
function dumpTable<Row extends object>(table: Table<Row>, format: (row: Row) => string): string {
  return lines(
    [...table.entries()].map(({ row, status }) => {
      return status.state === 'error' ? `${format(row)}  ERROR ${status.error}` : format(row)
    }),
  )
}

function formatNode({ name, addresses, podCidrs }: Node): string {
  return `${name} ${addresses.join(' ') || '-'} pods ${podCidrs.join(' ') || '-'}`
}

function formatPod({ namespace, name, nodeName, hostNetwork, addresses }: Pod): string {
  const network = hostNetwork ? ' host-network' : ''
  return `${namespace}/${name} on ${nodeName || '-'} ${addresses.join(' ') || '-'}${network}`
}

function formatService({ namespace, name, clusterIps, ports }: Service): string {
  const list = ports.map((port) => `${port.name || '-'}=${port.port}/${port.protocol}`)
  return `${namespace}/${name} ${clusterIps.join(' ')} ${list.join(' ')}`
}

function formatSlice({ namespace, name, service, ports, endpoints }: EndpointSlice): string {
  const list = ports.map((port) => `${port.name || '-'}=${port.port}/${port.protocol}`)
  const each = endpoints.map((endpoint) => `${endpoint.address}${condition(endpoint)}`)
  return `${namespace}/${name} of ${service} ${list.join(' ')} -> ${each.join(' ') || '-'}`
}

function condition({ ready, serving, terminating }: SliceEndpoint): string {
  if (ready) return ''
  return terminating ? (serving ? '(serving, terminating)' : '(terminating)') : '(not ready)'
}

function formatFrontend(row: Frontend): string {
  const { address, port, protocol, service, portName, kind, backends } = row
  const name = `${service}${portName && ` ${portName}`}${kind === 'ClusterIP' ? '' : ` ${kind}`}`
  const inside = formatSet(backends, row.whenEmpty)
  const outside = formatSet(row.externalBackends, row.externalWhenEmpty)
  const sets = inside === outside ? inside : `${inside} from outside ${outside}`
  const ranges = row.sourceRanges ? ` for ${row.sourceRanges.join(' ') || 'nobody'}` : ''
  const affinity = row.affinitySeconds > 0 ? ` affinity ${row.affinitySeconds} s` : ''
  const where = `${formatAddressPort(address, port)}/${protocol}`
  return `${where} ${name} -> ${sets}${ranges}${affinity}`
}

/** "-": refused, "silence": dropped. */
function formatSet(backends: readonly Backend[], whenEmpty: WhenEmpty): string {
  if (backends.length === 0) return whenEmpty === 'drop' ? 'silence' : '-'
  return backends.map(({ address, port }) => formatAddressPort(address, port)).join(' ')
}

function formatDestination(row: Destination): string {
  const { prefix, kind, nodeName, routing, nodeAddress, onLink } = row
  return `${prefix} ${kind} of ${nodeName}, ${routing} to ${nodeAddress}${onLink ? ' on-link' : ''}`
}

function formatRoute({ prefix, nodeName, routing, nextHop }: NodeRoute): string {
  return `${prefix} of ${nodeName}, ${routing} via ${nextHop}`
}

/** What the maps hold, in the terms of bpf/lib. */
export function dumpMaps({ services, backends, destinations }: ScriptMaps): string {
  const entries: string[] = []
  for (const [{ address, port, protocol }, { id, internal }] of services.entries()) {
    const key = `${formatAddressPort(address, port)}/${protocolName(protocol)}`
    entries.push(`services ${key} = id ${id}, set ${internal.id}, count ${internal.count}`)
  }
  for (const [{ setId, slot }, { address, port }] of backends.entries()) {
    const at = `set ${setId} slot ${String(slot).padStart(3)}`
    entries.push(`backends ${at} = ${formatAddressPort(address, port)}`)
  }
  for (const [{ address, prefixLength }, { node, flags }] of destinations.entries()) {
    const names = [...layout.destinationFlagsNames].flatMap(([bit, name]) =>
      (flags & bit) !== 0 ? [name.toLowerCase()] : [],
    )
    entries.push(
      `destinations ${address}/${prefixLength} = node ${node}, ${names.join(' ') || '-'}`,
    )
  }
  return lines(entries)
}

function lines(list: readonly string[]): string {
  return [...list].sort().join('\n')
}
