// The node's devices towards the other nodes: which they are, and what of them the datapath
// needs. The first carries the node's address; more are tolerated (a default route elsewhere,
// --uplink a,b).
import type { Address, Family } from '../net/address.ts'
import { addressFamily } from '../net/address.ts'
import type { Mac } from '../net/mac.ts'
import { type Prefix, parsePrefix, prefixContains, prefixLength } from '../net/prefix.ts'
import { listAddresses } from '../netlink/addresses.ts'
import { listLinks } from '../netlink/links.ts'
import type { Netlink } from '../netlink/netlink.ts'
import { listRoutes, MAIN_TABLE } from '../netlink/routes.ts'

export interface Uplink {
  readonly name: string
  readonly ifindex: number
  /** Bytes of IP packet. */
  readonly mtu: number
  readonly mac: Mac
  readonly addresses: readonly Address[]
  /** Prefixes whose addresses are neighbours on this device. */
  readonly onLink: readonly Prefix[]
}

export interface UplinkWishes {
  /** Given by name: then exactly these. */
  readonly names: readonly string[]
  readonly nodeAddresses: readonly Address[]
}

/** Throws when none is found or a named one does not exist. */
export function detectUplinks(netlink: Netlink, { names, nodeAddresses }: UplinkWishes): Uplink[] {
  const devices = readDevices(netlink)
  const missing = names.find((name) => !devices.some((device) => device.name === name))
  if (missing !== undefined) throw new Error(`Cannot use uplink ${missing}: no such device`)
  const chosen = names.length > 0 ? names : chooseNames(netlink, devices, nodeAddresses)
  const uplinks = chosen.flatMap((name) => devices.find((device) => device.name === name) ?? [])
  if (uplinks.length > 0) return uplinks
  const held = nodeAddresses.join(', ') || 'an address of the node'
  throw new Error(`Cannot find an uplink: no device holds ${held} and there is no default route`)
}

function readDevices(netlink: Netlink): Uplink[] {
  const all = listAddresses(netlink)
  return listLinks(netlink)
    .filter(({ name }) => name !== 'lo' && !name.startsWith('weir'))
    .flatMap(({ name, ifindex, mtu, mac }) => {
      if (!mac) return []
      const own = all.filter((each) => each.ifindex === ifindex && !isLinkLocal(each.address))
      const addresses = own.map(({ address }) => address)
      const onLink = own.map(toNetwork).filter((prefix) => !isHost(prefix))
      return [{ name, ifindex, mtu, mac, addresses, onLink }]
    })
}

/** The device with the node's address, then those of the default routes. */
function chooseNames(
  netlink: Netlink,
  devices: readonly Uplink[],
  nodeAddresses: readonly Address[],
): string[] {
  const holders = devices.filter((device) =>
    device.addresses.some((address) => nodeAddresses.includes(address)),
  )
  const defaults = listRoutes(netlink, { table: MAIN_TABLE })
    .filter(({ prefix }) => prefixLength(prefix) === 0)
    .flatMap(({ ifindex }) => devices.find((device) => device.ifindex === ifindex) ?? [])
  return [...new Set([...holders, ...defaults].map(({ name }) => name))]
}

function toNetwork({
  address,
  prefixLength: length,
}: {
  address: Address
  prefixLength: number
}): Prefix {
  return parsePrefix(`${address}/${length}`)
}

function isHost(prefix: Prefix): boolean {
  return prefixLength(prefix) === (prefix.includes(':') ? 128 : 32)
}

function isLinkLocal(address: Address): boolean {
  return /^fe[89ab]/.test(address) || address.startsWith('169.254.')
}

/** The uplink whose neighbour the address is, else the first. */
export function uplinkTo(uplinks: readonly Uplink[], address: Address): Uplink | undefined {
  const onLink = ({ onLink: prefixes }: Uplink) =>
    prefixes.some((prefix) => prefixContains(prefix, address))
  return uplinks.find(onLink) ?? uplinks[0]
}

/** This node's own underlay address of a family: the Node's, else the first uplink's. */
export function nodeAddressOf(
  family: Family,
  nodeAddresses: readonly Address[],
  uplinks: readonly Uplink[],
): Address | undefined {
  return [...nodeAddresses, ...uplinks.flatMap(({ addresses }) => addresses)].find(
    (address) => addressFamily(address) === family,
  )
}
