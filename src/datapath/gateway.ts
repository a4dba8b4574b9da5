// The node's side of the pod network: the gateway on weir_host, the overlay device, and what the
// namespace must allow. weir_net is weir_host's other end and only there because a veth has two.
// Everything may be repeated; what is right already is left alone.
import { existsSync } from 'node:fs'
import type { Address, Family } from '../net/address.ts'
import type { Mac } from '../net/mac.ts'
import { gatewayOf, type Prefix, prefixFamily } from '../net/prefix.ts'
import { addAddressRequest, deleteAddressRequest, listAddresses } from '../netlink/addresses.ts'
import {
  createVeth,
  createVxlan,
  deleteLink,
  linkByName,
  type NetworkLink,
  setLinkRequests,
} from '../netlink/links.ts'
import type { Netlink } from '../netlink/netlink.ts'
import { readSysctl, writeSysctl } from '../netlink/sysctl.ts'

export const HOST_DEVICE = 'weir_host'
export const HOST_PEER = 'weir_net'
export const OVERLAY_DEVICE = 'weir_vxlan'

/** The gateway of each family this node has a podCIDR of; the first podCIDR of a family counts. */
export type Gateways = { readonly [family in Family]?: Address }

export function gatewaysOf(podCidrs: readonly Prefix[]): Gateways {
  const first = (family: Family) => podCidrs.find((prefix) => prefixFamily(prefix) === family)
  const [v4, v6] = [first(4), first(6)]
  return { ...(v4 ? { 4: gatewayOf(v4) } : {}), ...(v6 ? { 6: gatewayOf(v6) } : {}) }
}

export interface GatewayWishes {
  readonly gateways: Gateways
  /** MTU of pods: what the node itself may send into the pod network. */
  readonly podMtu: number
  readonly uplinkMtu: number
  /** UDP port of VXLAN; absent: no overlay. */
  readonly overlayPort?: number
}

export interface GatewayDevices {
  readonly host: { readonly ifindex: number; readonly mac: Mac }
  readonly overlay?: { readonly ifindex: number }
}

/** Makes the devices as wished, up and with their addresses. */
export function ensureGateway(netlink: Netlink, wishes: GatewayWishes): GatewayDevices {
  setSysctl(netlink, 'net/ipv4/ip_forward', '1')
  if (wishes.gateways[6]) setSysctl(netlink, 'net/ipv6/conf/all/forwarding', '1')
  const host = ensureHostPair(netlink, wishes)
  const overlay = ensureOverlay(netlink, wishes)
  return { host, ...(overlay ? { overlay } : {}) }
}

function ensureHostPair(netlink: Netlink, { gateways, podMtu }: GatewayWishes) {
  if (!linkByName(netlink, HOST_DEVICE) || !linkByName(netlink, HOST_PEER)) {
    discard(netlink, HOST_DEVICE)
    discard(netlink, HOST_PEER)
    createVeth(netlink, { name: HOST_DEVICE, peer: { name: HOST_PEER } })
  }
  const { ifindex, mac } = existing(netlink, HOST_DEVICE)
  const peer = existing(netlink, HOST_PEER)
  for (const name of [HOST_DEVICE, HOST_PEER]) allowForwarding(netlink, name)
  // What the node sends itself by a frontend comes in here, from its own address.
  setSysctl(netlink, `net/ipv4/conf/${HOST_DEVICE}/accept_local`, '1')
  const settings = { addrGenModeNone: true, noArp: true, mtu: podMtu, up: true }
  netlink.run(...[peer.ifindex, ifindex].flatMap((index) => setLinkRequests(index, settings)))
  const wanted = Object.values(gateways)
  const stale = listAddresses(netlink, ifindex).filter(({ address }) => !wanted.includes(address))
  netlink.run(
    ...stale.map(deleteAddressRequest),
    ...wanted.map((address) => addAddressRequest({ ifindex, address, noDad: true })),
  )
  if (!mac) throw new Error(`Cannot use interface ${HOST_DEVICE}: it has no MAC`)
  return { ifindex, mac }
}

function ensureOverlay(netlink: Netlink, wishes: GatewayWishes): NetworkLink | undefined {
  const { overlayPort: port, uplinkMtu } = wishes
  const before = linkByName(netlink, OVERLAY_DEVICE)
  const fits = before?.kind === 'vxlan' && before.vxlanPort === port
  if (before && !fits) discard(netlink, OVERLAY_DEVICE)
  if (port === undefined) return undefined
  if (!fits) createVxlan(netlink, { name: OVERLAY_DEVICE, port, collectMetadata: true })
  const device = existing(netlink, OVERLAY_DEVICE)
  allowForwarding(netlink, OVERLAY_DEVICE)
  const settings = { addrGenModeNone: true, mtu: uplinkMtu, up: true }
  netlink.run(...setLinkRequests(device.ifindex, settings))
  return device
}

/** Packets meet our devices with addresses of elsewhere; IPv6 may have been off by default. */
function allowForwarding(netlink: Netlink, device: string): void {
  setSysctl(netlink, `net/ipv4/conf/${device}/rp_filter`, '0')
  if (existsSync(`/proc/sys/net/ipv6/conf/${device}`)) {
    setSysctl(netlink, `net/ipv6/conf/${device}/disable_ipv6`, '0')
  }
}

/** Written only where it differs: /proc/sys may be read-only and right. */
function setSysctl({ library }: Netlink, name: string, value: string): void {
  if (readSysctl(library, name) !== value) writeSysctl(library, name, value)
}

function existing(netlink: Netlink, name: string): NetworkLink {
  const link = linkByName(netlink, name)
  if (!link) throw new Error(`Cannot use interface ${name}: it does not exist`)
  return link
}

function discard(netlink: Netlink, name: string): void {
  const link = linkByName(netlink, name)
  if (link) deleteLink(netlink, link.ifindex)
}
