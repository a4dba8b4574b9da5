// `weir endpoint`: the pods attached to this node, as asked for and as the kernel has them.
import type { Command } from 'commander'
import type { EndpointView } from '../api/endpoint-view.ts'
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

function printViews(views: readonly EndpointView[]): void {
  printTable(
    ['ID', 'POD', 'ADDRESSES', 'INTERFACE', 'MAC', 'MTU', 'STATUS', 'DRIFT'],
    views.map(({ id, pod, addresses, hostIfName, mac, mtu, status, drift }) => [
      ...[id, pod || '-', addresses.join(', '), hostIfName || '-', mac, mtu],
      ...[status ?? '-', drift],
    ]),
  )
  printDifferences(views, ({ id, pod }) => `endpoint ${id}${pod ? ` (${pod})` : ''}`)
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
