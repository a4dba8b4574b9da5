// Takes everything of Weir out of this network namespace and off the bpffs: for uninstalling. Pods
// lose their network. What the node needs beside us stays: ip_forward is not turned back off.
import { existsSync, rmdirSync } from 'node:fs'
import type { Library } from '../libbpf/library.ts'
import { deleteLinkRequest, listLinks } from '../netlink/links.ts'
import { Netlink } from '../netlink/netlink.ts'
import { listRoutes, MAIN_TABLE } from '../netlink/routes.ts'
import { POD_VETH } from './endpoints.ts'
import { HOST_DEVICE, HOST_PEER, OVERLAY_DEVICE } from './gateway.ts'
import { forgetRequest, ROUTE_PROTOCOL } from './node-routes.ts'
import { pinsUnder } from './pins.ts'

export interface Removed {
  readonly routes: number
  readonly interfaces: number
  readonly pins: number
}

/** Roots before leaves: the ways in, then devices, then what programs read. May be repeated. */
export function removeAll({ library, bpfRoot }: { library: Library; bpfRoot: string }): Removed {
  const { links: hooks, maps, programs } = pinsUnder(bpfRoot)
  const pins = hooks.names().length + maps.names().length + programs.names().length
  using netlink = Netlink.open(library)
  const routes = listRoutes(netlink, { table: MAIN_TABLE }).filter(
    ({ protocol }) => protocol === ROUTE_PROTOCOL,
  )
  netlink.transact(routes.map(({ prefix, ifindex }) => forgetRequest(prefix, ifindex)))
  hooks.removeAll()
  programs.removeAll()
  const devices = listLinks(netlink).filter(
    // The peer goes with weir_host.
    ({ name }) => [HOST_DEVICE, OVERLAY_DEVICE].includes(name) || POD_VETH.test(name),
  )
  netlink.transact(devices.map(({ ifindex }) => deleteLinkRequest(ifindex)))
  maps.removeAll()
  removeDirectory(bpfRoot)
  const left = listLinks(netlink).filter(({ name }) => name === HOST_PEER || POD_VETH.test(name))
  if (left.length > 0) {
    throw new Error(`Cannot remove interfaces: ${left.map(({ name }) => name).join(', ')} are left`)
  }
  return { routes: routes.length, interfaces: devices.length, pins }
}

/** A bpf root that is a mount point is not ours to remove. */
function removeDirectory(bpfRoot: string): void {
  if (!existsSync(bpfRoot)) return
  try {
    rmdirSync(bpfRoot)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
  }
}
