// The requests that attach one pod, in the order they must be carried out: leaves before roots,
// so that a packet in flight never meets half a pod. Pure: they are sent by endpoints.ts, many at
// once.
import type { Program } from '../libbpf/program.ts'
import { addressFamily, type Family } from '../net/address.ts'
import { hostPrefix } from '../net/prefix.ts'
import { addAddressRequest } from '../netlink/addresses.ts'
import { setLinkRequests } from '../netlink/links.ts'
import type { Request } from '../netlink/message.ts'
import { replaceNeighbourRequest } from '../netlink/neighbours.ts'
import { ROUTE_PROTOCOLS, replaceRouteRequest } from '../netlink/routes.ts'
import type { Rule } from '../netlink/rules.ts'
import { replaceTokenBucketRequest } from '../netlink/token-bucket.ts'
import { addClsactRequest, replaceBpfFilterRequest } from '../netlink/traffic-control.ts'
import type { Endpoint } from '../tables/intent.ts'
import { isSecondary } from '../tables/tables.ts'
import type { Gateways } from './gateway.ts'
import * as layout from './layout.gen.ts'
import { ROUTE_PROTOCOL } from './node-routes.ts'
import { shapingOf } from './shaping.ts'

/** Our filters' place on a clsact hook. */
export const FILTER = { priority: 1, handle: 1 } as const

export interface PodPrograms {
  readonly fromPod: Pick<Program, 'fd' | 'id'>
  readonly toPod: Pick<Program, 'fd' | 'id'>
}

const LOOPBACK_IFINDEX = 1
/** Above 1024, the metric that the kernel gives IPv6 routes without one. */
const SECONDARY_METRIC = 2000
/** Plus the endpoint's id. */
const SECONDARY_TABLE = 100_000
/** Before the main table. */
const SECONDARY_PRIORITY = 20_000

/** The entry of map `endpoints` under each of the row's addresses. */
export function endpointEntry(row: Endpoint, ifindex: number): layout.Endpoint {
  const { id, mac, hostMac, mtu } = row
  const flags = shapingOf(row).ingress ? layout.EndpointFlags.SHAPED : 0
  return { ifindex, id, mac, hostMac, flags, mtu }
}

export interface PodSettings {
  readonly gateways: Gateways
  /** Families whose default route is another interface's by now: somebody's wish. */
  readonly takenDefaults: readonly Family[]
}

/** Inside the pod: `lo`, the addresses, the interface up, the way to the gateway and by it. */
export function podRequests(
  row: Endpoint,
  ifindex: number,
  { gateways, takenDefaults }: PodSettings,
): Request[] {
  const addresses = row.addresses.map((address) =>
    addAddressRequest({ ifindex, address, noDad: true }),
  )
  const routes = row.addresses.flatMap((address) => {
    const family = addressFamily(address)
    const gateway = gateways[family]
    if (!gateway) return []
    const shared = { ifindex, protocol: ROUTE_PROTOCOLS.boot }
    const toGateway = { prefix: hostPrefix(gateway), ...shared }
    const byDefault = { prefix: 'default', gateway, ...shared } as const
    if (isSecondary(row)) {
      const table = secondaryTable(row)
      const behind = { ...toGateway, metric: SECONDARY_METRIC + ifindex }
      const own = [toGateway, byDefault].map((route) => ({ ...route, table }))
      return [behind, ...own].map(replaceRouteRequest)
    }
    const taken = takenDefaults.includes(family)
    return [toGateway, ...(taken ? [] : [byDefault])].map(replaceRouteRequest)
  })
  const { egress } = shapingOf(row)
  return [
    ...setLinkRequests(LOOPBACK_IFINDEX, { up: true }),
    ...addresses,
    ...(egress ? [replaceTokenBucketRequest(ifindex, egress)] : []),
    ...setLinkRequests(ifindex, { mtu: row.mtu, up: true }),
    ...routes,
  ]
}

/** Table of the routes by which a second interface answers. */
export function secondaryTable({ id }: Endpoint): number {
  return SECONDARY_TABLE + id
}

/**
 * What its own addresses send, and who is bound to it, leaves by a second interface; the rest of
 * the pod knows nothing of it.
 */
export function secondaryRules(row: Endpoint): Rule[] {
  if (!isSecondary(row)) return []
  const place = { table: secondaryTable(row), priority: SECONDARY_PRIORITY }
  return row.addresses.flatMap((from) => {
    const family = addressFamily(from)
    return [
      { family, from, ...place },
      { family, outName: row.ifName, ...place },
    ]
  })
}

/** On the node: the programs, then the link, then the way to the pod. */
export function hostRequests(
  row: Endpoint,
  ifindex: number,
  { gateways, programs }: { gateways: Gateways; programs: PodPrograms },
): Request[] {
  const filter = (direction: 'ingress' | 'egress', name: string, programFd: number) =>
    replaceBpfFilterRequest({ ifindex, direction, programFd, name, ...FILTER })
  const { ingress } = shapingOf(row)
  return [
    addClsactRequest(ifindex),
    filter('ingress', 'from_pod', programs.fromPod.fd),
    filter('egress', 'to_pod', programs.toPod.fd),
    ...(ingress ? [replaceTokenBucketRequest(ifindex, ingress)] : []),
    ...setLinkRequests(ifindex, { addrGenModeNone: true, mtu: row.mtu, up: true }),
    ...row.addresses.flatMap((address) => {
      const source = gateways[addressFamily(address)]
      return [
        replaceNeighbourRequest({ ifindex, address, mac: row.mac }),
        replaceRouteRequest({
          prefix: hostPrefix(address),
          ifindex,
          protocol: ROUTE_PROTOCOL,
          ...(source ? { source } : {}),
        }),
      ]
    }),
  ]
}
