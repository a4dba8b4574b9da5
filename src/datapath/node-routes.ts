// Keeps the host's main table equal to the nodeRoutes table. Our routes carry a protocol number of
// their own, by which they are told from everybody else's.
import type { Address } from '../net/address.ts'
import { parseAddress } from '../net/address.ts'
import { type Prefix, prefixFamily } from '../net/prefix.ts'
import type { Request } from '../netlink/message.ts'
import type { Netlink } from '../netlink/netlink.ts'
import {
  deleteRouteRequest,
  type ListedRoute,
  listRoutes,
  MAIN_TABLE,
  replaceRouteRequest,
} from '../netlink/routes.ts'
import type { Failures, Operations } from '../state/reconciler.ts'
import type { ActualRoute } from '../tables/actual.ts'
import type { NodeRoute } from '../tables/desired.ts'
import type { Gateways } from './gateway.ts'
import { type Uplink, uplinkTo } from './uplinks.ts'

/** Ours in the kernel's routing tables (`ip route show proto 201`); not in iproute2's list. */
export const ROUTE_PROTOCOL = 201

/**
 * Next hop on weir_host for IPv6, whose kernel refuses a local address where IPv4 takes it. Nobody
 * has this address: on a device without ARP and ND only the program sees the packets.
 */
const HOST_NEXT_HOP_6 = parseAddress('fe80::1')

/** How the routes of a node are written now; read anew for each batch. */
export interface RouteContext {
  readonly hostIfindex: number
  readonly gateways: Gateways
  readonly uplinks: readonly Uplink[]
  /** This node's own podCIDRs, whose routes the gateway keeps. */
  readonly podCidrs: readonly Prefix[]
}

export function nodeRouteOperations(
  netlink: Netlink,
  context: () => RouteContext,
): Operations<NodeRoute> {
  return {
    async update(rows) {
      return failuresOf(rows, netlink.transact(rows.map((row) => routeRequest(row, context()))))
    },
    async delete(rows) {
      const results = netlink.transact(rows.map(({ prefix }) => forgetRequest(prefix)))
      // ESRCH: there is none. ENODEV: its device is gone, and the route with it.
      const real = results.map((error) =>
        error?.code === 'ESRCH' || error?.code === 'ENODEV' ? undefined : error,
      )
      return failuresOf(rows, real)
    },
    async prune(rows) {
      const wanted = new Set<string>(rows.map(({ prefix }) => prefix))
      const extra = listNodeRoutes(netlink, context()).filter(({ prefix }) => !wanted.has(prefix))
      netlink.transact(extra.map(({ prefix, ifindex }) => forgetRequest(prefix, ifindex)))
    },
  }
}

/** A way into from_host: the packet is put on weir_host, where the program decides. */
export function hostRoute(prefix: Prefix, { hostIfindex, gateways }: RouteContext): Request {
  const family = prefixFamily(prefix)
  const source = gateways[family]
  const gateway: Address | undefined = family === 4 ? source : HOST_NEXT_HOP_6
  return replaceRouteRequest({
    prefix,
    ifindex: hostIfindex,
    protocol: ROUTE_PROTOCOL,
    ...(gateway ? { gateway } : {}),
    ...(source ? { source } : {}),
  })
}

/** Interface 0 and scope nowhere match any: only ours carries our protocol. */
export function forgetRequest(prefix: Prefix, ifindex = 0): Request {
  return deleteRouteRequest({ prefix, ifindex, protocol: ROUTE_PROTOCOL, scope: 'nowhere' })
}

function routeRequest(row: NodeRoute, context: RouteContext): Request {
  if (row.routing === 'vxlan') return hostRoute(row.prefix, context)
  const uplink = uplinkTo(context.uplinks, row.nextHop)
  return replaceRouteRequest({
    prefix: row.prefix,
    ifindex: uplink?.ifindex ?? 0,
    gateway: row.nextHop,
    protocol: ROUTE_PROTOCOL,
  })
}

/** Our routes to other nodes: those to pods of this node leave by their veths. */
function listNodeRoutes(netlink: Netlink, context: RouteContext): ListedRoute[] {
  const { hostIfindex, uplinks, podCidrs } = context
  const devices = new Set([hostIfindex, ...uplinks.map(({ ifindex }) => ifindex)])
  return listRoutes(netlink, { table: MAIN_TABLE }).filter(
    ({ prefix, protocol, ifindex = 0 }) =>
      protocol === ROUTE_PROTOCOL && devices.has(ifindex) && !podCidrs.includes(prefix),
  )
}

/** What the kernel holds, for showing and for drift. */
export function readNodeRoutes(
  netlink: Netlink,
  context: RouteContext,
  nameOf: (ifindex: number) => string,
): ActualRoute[] {
  return listNodeRoutes(netlink, context).map(({ prefix, ifindex = 0, gateway }) => ({
    prefix,
    ifindex,
    interfaceName: nameOf(ifindex),
    ...(gateway && gateway !== HOST_NEXT_HOP_6 ? { gateway } : {}),
  }))
}

function failuresOf(rows: readonly NodeRoute[], results: readonly (Error | undefined)[]): Failures {
  const failures = new Map<string, Error>()
  rows.forEach(({ prefix }, at) => {
    const error = results[at]
    if (error) failures.set(prefix, error)
  })
  return failures
}
