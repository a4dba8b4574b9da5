// `weir endpoint`: the pods attached to this node, as asked for and as the kernel has them.
import { Command } from 'commander'
import type { EndpointView } from '../api/endpoint-view.ts'
import { readAgent } from './agent.ts'
import { printDifferences } from './differences.ts'
import { printFields, printJson, printTable } from './output.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

export function endpointCommand(): Command {
  const command = new Command('endpoint').description('pods attached to this node')
  const list = command
    .command('list')
    .description('every endpoint, with its state and drift')
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const views = await readViews(options)
      if (options.json) printJson(views)
      else printViews(views)
    })
  const get = command
    .command('get')
    .description('one endpoint by id, namespace/pod, address or interface')
    .argument('<endpoint>')
    .action(async (wanted: string, _options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const found = (await readViews(options)).filter((view) => matches(view, wanted))
      if (found.length === 0) throw new Error(`Cannot find endpoint "${wanted}": there is none`)
      if (options.json) printJson(found)
      else for (const view of found) printView(view)
    })
  for (const leaf of [list, get]) addTargetOptions(leaf)
  return command
}

async function readViews(options: TargetOptions): Promise<EndpointView[]> {
  return readAgent<EndpointView[]>((await findTarget(options)).socket, '/v1/endpoints')
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
