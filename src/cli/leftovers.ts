// What of Weir is on this machine: interfaces, routes, pins and files. Only looks.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { POD_VETH } from '../datapath/endpoints.ts'
import { HOST_DEVICE, HOST_PEER, OVERLAY_DEVICE } from '../datapath/gateway.ts'
import { ROUTE_PROTOCOL } from '../datapath/node-routes.ts'
import { pinsUnder } from '../datapath/pins.ts'
import type { Library } from '../libbpf/library.ts'
import { listLinks } from '../netlink/links.ts'
import { Netlink } from '../netlink/netlink.ts'
import { listRoutes, MAIN_TABLE } from '../netlink/routes.ts'

export interface Places {
  readonly bpfRoot: string
  readonly stateDir: string
  readonly runDir: string
}

/** What the agent and weir-cni keep below the state and the run directory. */
export function ownFiles({ stateDir, runDir }: Places): string[] {
  const state = ['endpoints', 'cni-queue', 'positions.json'].map((name) => join(stateDir, name))
  return [...state, join(runDir, 'weir.sock')]
}

/** One line for each thing, in this network namespace. */
export function findLeftovers(library: Library, places: Places): string[] {
  using netlink = Netlink.open(library)
  const ours = [HOST_DEVICE, HOST_PEER, OVERLAY_DEVICE]
  const { links, maps } = pinsUnder(places.bpfRoot)
  return [
    ...listLinks(netlink)
      .filter(({ name }) => ours.includes(name) || POD_VETH.test(name))
      .map(({ name }) => `interface ${name}`),
    ...listRoutes(netlink, { table: MAIN_TABLE })
      .filter(({ protocol }) => protocol === ROUTE_PROTOCOL)
      .map(({ prefix }) => `route ${prefix}`),
    ...[links, maps].flatMap((pins) => pins.names().map((name) => `pin ${pins.path(name)}`)),
    ...ownFiles(places)
      .filter((path) => existsSync(path))
      .map((path) => `file ${path}`),
  ]
}
