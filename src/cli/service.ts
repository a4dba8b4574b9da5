// `weir service`: where Services are reached and which backends new connections get.
import { Command } from 'commander'
import type { ServiceView } from '../api/service-view.ts'
import { readAgent } from './agent.ts'
import { printDifferences } from './differences.ts'
import { formatList, printFields, printJson, printTable } from './output.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

export function serviceCommand(): Command {
  const command = new Command('service').description('frontends of Services and their backends')
  const list = command
    .command('list')
    .description('every frontend, with its backends and drift')
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const views = await readViews(options)
      if (options.json) printJson(views)
      else printViews(views)
    })
  const get = command
    .command('get')
    .description('the frontends of one Service by namespace/name, address or address:port')
    .argument('<service>')
    .action(async (wanted: string, _options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const found = (await readViews(options)).filter((view) => matches(view, wanted))
      if (found.length === 0) throw new Error(`Cannot find service "${wanted}": there is none`)
      if (options.json) printJson(found)
      else for (const view of found) printView(view)
    })
  for (const leaf of [list, get]) addTargetOptions(leaf)
  return command
}

async function readViews(options: TargetOptions): Promise<ServiceView[]> {
  return readAgent<ServiceView[]>((await findTarget(options)).socket, '/v1/services')
}

/** `frontend` is "10.96.0.10:53/UDP" or "[fd00::1]:53/UDP". */
function matches({ service, frontend }: ServiceView, wanted: string): boolean {
  const addressPort = frontend.slice(0, frontend.lastIndexOf('/'))
  const address = addressPort.slice(0, addressPort.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return [service, frontend, addressPort, address].includes(wanted)
}

function printViews(views: readonly ServiceView[]): void {
  printTable(
    ['FRONTEND', 'SERVICE', 'PORT', 'BACKENDS', 'ACTUAL', 'STATUS', 'DRIFT'],
    views.map(({ frontend, service, portName, desired, actual, status, drift }) => [
      ...[frontend, service || '-', portName || '-', formatList(desired, 2) || 'none'],
      ...[actual.length, status ?? '-', drift],
    ]),
  )
  printDifferences(views, ({ frontend }) => frontend)
}

function printView(view: ServiceView): void {
  printFields([
    ['frontend', view.frontend],
    ['service', view.service],
    ['port', view.portName],
    ['id', view.id === undefined ? '' : String(view.id)],
    ['backends', view.desired.join('\n') || 'none'],
    ['in the kernel', view.actual.join('\n') || 'none'],
    ['status', view.error ? `${view.status}: ${view.error}` : (view.status ?? '')],
    ['drift', [view.drift, ...view.differences].join('\n')],
  ])
}
