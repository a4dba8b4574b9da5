// Routes of the tables of both families. Only single-hop routes are made; multipath ones are listed
// without their hops.
import { constants } from 'node:os'
import {
  type Address,
  addressFamily,
  addressFromBytes,
  addressToNativeBytes,
  type Family,
} from '../net/address.ts'
import { type Prefix, prefixAddress, prefixFamily, prefixLength } from '../net/prefix.ts'
import { SCOPES, type Scope, scopeName } from './addresses.ts'
import { NetlinkError } from './errors.ts'
import {
  attribute,
  FLAGS,
  nested,
  type Request,
  request,
  uint32Attribute,
  when,
} from './message.ts'
import type { Netlink } from './netlink.ts'
import { Attributes, type Message } from './parse.ts'

const NEW_ROUTE = 24
const DELETE_ROUTE = 25
const GET_ROUTE = 26
const FIXED_SIZE = 12
const RTA = {
  destination: 1,
  device: 4,
  gateway: 5,
  priority: 6,
  preferredSource: 7,
  metrics: 8,
  table: 15,
} as const
const METRIC_MTU = 2
const ON_LINK = 0x4
const UNICAST = 1

export const MAIN_TABLE = 254

/** Who made a route (rtm_protocol). 255 and below may be chosen freely from 192 on. */
export const ROUTE_PROTOCOLS = { kernel: 2, boot: 3, static: 4 } as const

export interface Route {
  /** 'default' takes its family from the gateway or the source. */
  readonly prefix: Prefix | 'default'
  readonly ifindex: number
  readonly gateway?: Address
  /** Preferred source address. */
  readonly source?: Address
  /** By default global with a gateway, link without. */
  readonly scope?: Scope
  /** The gateway is on the interface's link although no prefix says so. */
  readonly onLink?: boolean
  /** 0..255, see ROUTE_PROTOCOLS. */
  readonly protocol: number
  readonly table?: number
  readonly metric?: number
  readonly mtu?: number
}

/** A route as the kernel reports it. */
export interface ListedRoute {
  /** "0.0.0.0/0" or "::/0" for a default route. */
  readonly prefix: Prefix
  readonly ifindex: number | undefined
  readonly gateway: Address | undefined
  readonly source: Address | undefined
  readonly scope: Scope
  readonly protocol: number
  readonly table: number
  readonly metric: number | undefined
  readonly mtu: number | undefined
  /** rtm_type: 1 is unicast, 2 local, 6 blackhole. */
  readonly type: number
}

/** Replaces the route of the same prefix, table and metric. */
export function replaceRouteRequest(route: Route): Request {
  return routeRequest(NEW_ROUTE, FLAGS.create | FLAGS.replace, 'replace', route)
}

export function replaceRoute(netlink: Netlink, route: Route): void {
  netlink.run(replaceRouteRequest(route))
}

export function deleteRouteRequest(route: Route): Request {
  return routeRequest(DELETE_ROUTE, 0, 'delete', route)
}

/** False: it was absent. */
export function deleteRoute(netlink: Netlink, route: Route): boolean {
  const [error] = netlink.transact([deleteRouteRequest(route)])
  if (error !== undefined && error.errno !== constants.errno.ESRCH) throw error
  return error === undefined
}

function routeRequest(type: number, flags: number, operation: string, route: Route): Request {
  const { ifindex, gateway, source, onLink, protocol, metric, mtu } = route
  const prefix = route.prefix === 'default' ? defaultPrefix(route) : route.prefix
  const { table = MAIN_TABLE, scope = gateway === undefined ? 'link' : 'global' } = route
  const family = prefixFamily(prefix)
  const head = Buffer.alloc(FIXED_SIZE)
  // Tables above 255 are told by the attribute alone.
  const shortTable = table < 256 ? table : 0
  head.set([familyNumber(family), prefixLength(prefix), 0, 0, shortTable, protocol])
  head.set([family === 6 ? SCOPES.global : SCOPES[scope], UNICAST], 6)
  head.writeUInt32LE(onLink ? ON_LINK : 0, 8)
  const attributes = [
    attribute(RTA.destination, addressToNativeBytes(prefixAddress(prefix))),
    uint32Attribute(RTA.device, ifindex),
    uint32Attribute(RTA.table, table),
    ...when(gateway, (address) => attribute(RTA.gateway, addressToNativeBytes(address))),
    ...when(source, (address) => attribute(RTA.preferredSource, addressToNativeBytes(address))),
    ...when(metric, (value) => uint32Attribute(RTA.priority, value)),
    ...when(mtu, (value) => nested(RTA.metrics, uint32Attribute(METRIC_MTU, value))),
  ]
  const object = `route ${prefix} on interface ${ifindex}`
  return request({ type, flags, fixed: head, attributes, operation, object })
}

function defaultPrefix({ gateway, source }: Route): Prefix {
  const address = gateway ?? source
  if (address === undefined) throw new Error('Cannot build default route: its family is unknown')
  return (addressFamily(address) === 4 ? '0.0.0.0/0' : '::/0') as Prefix
}

export interface RouteFilter {
  readonly family?: Family
  readonly table?: number
  readonly ifindex?: number
}

/** Of both families and all tables, unless filtered. A table that does not exist is empty. */
export function listRoutes(netlink: Netlink, filter: RouteFilter = {}): ListedRoute[] {
  const families: readonly Family[] = filter.family === undefined ? [4, 6] : [filter.family]
  return families
    .flatMap((family) => dumpRoutes(netlink, listRequest(family, filter)))
    .map(parseRoute)
    .filter(({ ifindex }) => filter.ifindex === undefined || ifindex === filter.ifindex)
    .filter(({ table }) => filter.table === undefined || table === filter.table)
}

/** Families whose default route in the main table leaves by another interface than this one. */
export function defaultsOfOthers(netlink: Netlink, ifindex: number): Family[] {
  const families: readonly Family[] = [4, 6]
  return families.filter((family) =>
    listRoutes(netlink, { family, table: MAIN_TABLE }).some(
      (route) => prefixLength(route.prefix) === 0 && route.ifindex !== ifindex,
    ),
  )
}

function dumpRoutes(netlink: Netlink, list: Request): Message[] {
  try {
    return netlink.dump(list)
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === constants.errno.ENOENT) return []
    throw error
  }
}

function listRequest(family: Family, { table, ifindex }: RouteFilter): Request {
  const head = Buffer.alloc(FIXED_SIZE)
  head[0] = familyNumber(family)
  const attributes = [
    ...when(table, (value) => uint32Attribute(RTA.table, value)),
    ...when(ifindex, (value) => uint32Attribute(RTA.device, value)),
  ]
  const facts = { operation: 'list', object: 'routes' }
  return request({ type: GET_ROUTE, flags: FLAGS.dump, fixed: head, attributes, ...facts })
}

/** The route a packet to the address would take. Throws ENETUNREACH when there is none. */
export function routeTo(netlink: Netlink, address: Address): ListedRoute {
  const bytes = addressToNativeBytes(address)
  const head = Buffer.alloc(FIXED_SIZE)
  head.set([familyNumber(addressFamily(address)), bytes.length * 8])
  const attributes = [attribute(RTA.destination, bytes)]
  const facts = { operation: 'find', object: `route to ${address}` }
  const [answer] = netlink.ask([request({ type: GET_ROUTE, fixed: head, attributes, ...facts })])
  if (answer?.error !== undefined) throw answer.error
  const [reply] = answer?.replies ?? []
  if (reply === undefined) throw new Error(`Cannot find route to ${address}: the kernel sent none`)
  return parseRoute(reply)
}

function parseRoute({ body }: Message): ListedRoute {
  const [family = 0, length = 0, , , shortTable = 0, protocol = 0, scope = 0, type = 0] = body
  const attributes = new Attributes(body, FIXED_SIZE)
  const addressOf = (kind: number) => {
    const bytes = attributes.bytes(kind)
    return bytes && addressFromBytes(bytes)
  }
  const base = addressOf(RTA.destination) ?? (family === 2 ? '0.0.0.0' : '::')
  return {
    prefix: `${base}/${length}` as Prefix,
    ifindex: attributes.uint32(RTA.device),
    gateway: addressOf(RTA.gateway),
    source: addressOf(RTA.preferredSource),
    scope: scopeName(scope),
    protocol,
    table: attributes.uint32(RTA.table) ?? shortTable,
    metric: attributes.uint32(RTA.priority),
    mtu: attributes.nested(RTA.metrics).uint32(METRIC_MTU),
    type,
  }
}

function familyNumber(family: Family): number {
  return family === 4 ? 2 : 10
}
