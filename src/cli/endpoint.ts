// `weir endpoint`: the pods attached to this node, as asked for and as the kernel has them.
import type { Command } from 'commander'
import type { EndpointView } from '../api/endpoint-view.ts'
import { formatAddressPort } from '../net/address.ts'
import type { Bandwidth, HostPort } from '../tables/intent.ts'
import { printDifferences } from './differences.ts'
import { printFields, printTable } from './output.ts'
import { viewCommand } from './views.ts'

export function endpointCommand(): Command {
  return viewCommand<EndpointView>({
    name: 'endpoint',
    description: 'pods attached to this node',
    path: '/v1/endpoints',
    list: { description: 'every endpoint, with its state and drift', print: printViews },
    get: {
      description: 'one endpoint by id, namespace/pod, address or interface',
      matches,
      print: printView,
    },
  })
}

function matches({ id, pod, addresses, hostIfName }: EndpointView, wanted: string): boolean {
  return [String(id), pod, hostIfName, ...addresses].includes(wanted)
}

/** What pods ask for beyond an address, and isolation, have columns only where some pod has any. */
function printViews(views: readonly EndpointView[]): void {
  const askedCells = views.map(({ desired }) => askedFor(desired))
  const isolatedCells = views.map(({ isolated = '' }) => isolated)
  const only = (cells: readonly string[], cell: string): string[] =>
    cells.some(Boolean) ? [cell || '-'] : []
  const columns = [...only(askedCells, 'ASKED FOR'), ...only(isolatedCells, 'ISOLATED')]
  printTable(
    ['ID', 'POD', 'ADDRESSES', 'INTERFACE', 'MAC', 'MTU', ...columns, 'STATUS', 'DRIFT'],
    views.map(({ id, pod, addresses, hostIfName, mac, mtu, status, drift }, at) => [
      ...[id, pod || '-', addresses.join(', '), hostIfName || '-', mac, mtu],
      ...only(askedCells, askedCells[at] ?? ''),
      ...only(isolatedCells, isolatedCells[at] ?? ''),
      ...[status ?? '-', drift],
    ]),
  )
  printDifferences(views, ({ id, pod }) => `endpoint ${id}${pod ? ` (${pod})` : ''}`)
}

/** What the pod has beyond an address, in one column. */
function askedFor(desired: EndpointView['desired']): string {
  const ports = (desired?.hostPorts ?? []).map(hostPortText)
  return [...ports, bandwidthText(desired?.bandwidth)].filter(Boolean).join(', ')
}

function printView(view: EndpointView): void {
  const { desired, actual } = view
  printFields([
    ['id', String(view.id)],
    ['pod', view.pod],
    ['addresses', view.addresses.join(', ')],
    ['container', desired?.containerId ?? ''],
    ['inside', desired ? `${desired.ifName} ${desired.mac} in ${desired.netns}` : ''],
    ['host end', desired ? `${desired.hostIfName} ${desired.hostMac}` : view.hostIfName],
    ['MTU', String(view.mtu)],
    ['host ports', (desired?.hostPorts ?? []).map(hostPortText).join('\n')],
    ['bandwidth', bandwidthText(desired?.bandwidth)],
    ['isolated', view.isolated ?? ''],
    ['status', view.error ? `${view.status}: ${view.error}` : (view.status ?? '')],
    ['drift', [view.drift, ...view.differences].join('\n')],
    [
      'in the kernel',
      actual
        .map((row) => `${row.address} -> ifindex ${row.ifindex} ${row.mac} MTU ${row.mtu}`)
        .join('\n'),
    ],
  ])
}

/** "192.0.2.1:8080/TCP -> 80", with * for every address of the node. */
function hostPortText({ hostIp, hostPort, containerPort, protocol }: HostPort): string {
  const place = hostIp === undefined ? `*:${hostPort}` : formatAddressPort(hostIp, hostPort)
  return `${place}/${protocol} -> ${containerPort}`
}

/** "in 10 Mbit/s, out 1 Gbit/s"; '' for a pod without limits. */
function bandwidthText(bandwidth: Bandwidth = {}): string {
  const { ingressBitsPerSecond: ingress, egressBitsPerSecond: egress } = bandwidth
  const parts = [
    ...(ingress === undefined ? [] : [`in ${rateText(ingress)}`]),
    ...(egress === undefined ? [] : [`out ${rateText(egress)}`]),
  ]
  return parts.join(', ')
}

function rateText(bitsPerSecond: number): string {
  const units: [number, string][] = [
    [1e9, 'Gbit/s'],
    [1e6, 'Mbit/s'],
    [1e3, 'kbit/s'],
  ]
  const [size, unit] = units.find(([least]) => bitsPerSecond >= least) ?? [1, 'bit/s']
  return `${Number((bitsPerSecond / size).toFixed(3))} ${unit}`
}
