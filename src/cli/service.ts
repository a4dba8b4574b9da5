// `weir service`: where Services are reached and which backends new connections get.
import type { Command } from 'commander'
import type { ServiceView } from '../api/service-view.ts'
import { printDifferences } from './differences.ts'
import { formatList, printFields, printTable } from './output.ts'
import { viewCommand } from './views.ts'

export function serviceCommand(): Command {
  return viewCommand<ServiceView>({
    name: 'service',
    description: 'frontends of Services and their backends',
    path: '/v1/services',
    list: { description: 'every frontend, with its backends and drift', print: printViews },
    get: {
      description: 'the frontends of one Service by namespace/name, address or address:port',
      matches,
      print: printView,
    },
  })
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
