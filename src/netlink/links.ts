// Network interfaces: veth pairs, the VXLAN device, their settings, and what there is.
import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { viewOf } from '../libbpf/records.ts'
import { type Mac, macFromBytes, macToBytes } from '../net/mac.ts'
import type { NetlinkError } from './errors.ts'
import {
  attribute,
  FLAGS,
  nested,
  type Request,
  request,
  textAttribute,
  uint8Attribute,
  uint16BeAttribute,
  uint32Attribute,
  when,
} from './message.ts'
import type { Netlink } from './netlink.ts'
import { Attributes, type Message } from './parse.ts'

const NEW_LINK = 16
const DELETE_LINK = 17
const GET_LINK = 18
const SET_LINK = 19
const FIXED_SIZE = 16
const AF_INET6 = 10
const UP = 0x1
const NO_ARP = 0x80
const SKIP_STATISTICS = 8
const GENERATE_NO_ADDRESS = 1

const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  operState: 16,
  linkInfo: 18,
  afSpec: 26,
  netnsFd: 28,
  extMask: 29,
  netnsId: 37,
} as const
const INFO = { kind: 1, settings: 2 } as const
const VETH_PEER = 1
const VXLAN = { port: 15, udpZeroChecksum6Rx: 20, collectMetadata: 25 } as const

/** An interface as the kernel reports it. */
export interface NetworkLink {
  readonly ifindex: number
  readonly name: string
  /** "veth", "vxlan"; undefined for hardware and loopback. */
  readonly kind: string | undefined
  readonly mac: Mac | undefined
  readonly mtu: number
  readonly isUp: boolean
  readonly noArp: boolean
  /** For a veth the other end, in the namespace netnsId where that is set. */
  readonly peerIfindex: number | undefined
  /** This namespace's number for the one the peer is in; undefined: it is in this one. */
  readonly netnsId: number | undefined
  readonly masterIfindex: number | undefined
  /** UDP port of a VXLAN device. */
  readonly vxlanPort: number | undefined
}

export interface LinkChanges {
  readonly name?: string
  readonly up?: boolean
  readonly mtu?: number
  readonly mac?: Mac
  /** The kernel resolves no neighbours on it. */
  readonly noArp?: boolean
  /** No IPv6 link-local address is made when it comes up; set before `up` takes effect. */
  readonly addrGenModeNone?: boolean
}

export interface VethPeer {
  readonly name: string
  readonly mac?: Mac
  readonly mtu?: number
  /** Path of the namespace it is born in. It is born down: the pair is not tied yet. */
  readonly netns?: string
}

export interface Veth extends LinkChanges {
  readonly name: string
  readonly peer: VethPeer
}

/** Both ends' interface indexes, each in its own namespace. */
export interface VethIndexes {
  readonly ifindex: number
  readonly peerIfindex: number
}

/** Makes the pair, or nothing. Throws EEXIST when this end's name is taken. */
export function createVeth(netlink: Netlink, veth: Veth): VethIndexes {
  const { name, peer, mtu, mac, ...changes } = veth
  const netns = peer.netns === undefined ? undefined : openSync(peer.netns, 'r')
  try {
    const attributes = linkAttributes({ name, ...(mtu && { mtu }), ...(mac && { mac }) })
    const create = createRequest(name, attributes, 'veth', peerAttribute(peer, netns))
    const [created, found] = netlink.ask([create, getLinkRequest(name)])
    if (created?.error !== undefined) throw created.error
    const { ifindex, peerIfindex } = onlyLink(found?.replies)
    const error = netlink.transact(setLinkRequests(ifindex, changes)).find((each) => each)
    if (error !== undefined) {
      deleteLink(netlink, ifindex)
      throw error
    }
    return { ifindex, peerIfindex: peerIfindex ?? 0 }
  } finally {
    if (netns !== undefined) closeSync(netns)
  }
}

function peerAttribute(peer: VethPeer, netns: number | undefined): Uint8Array {
  const { name, mac, mtu } = peer
  const attributes = linkAttributes({ name, ...(mtu && { mtu }), ...(mac && { mac }) })
  const place = when(netns, (fd) => uint32Attribute(IFLA.netnsFd, fd))
  return attribute(VETH_PEER, Buffer.concat([fixed(), ...attributes, ...place]))
}

export interface VxlanDevice {
  readonly name: string
  /** UDP port, 4789 by IANA. */
  readonly port: number
  /** Tunnel keys come with each packet, from programs or routes ("external"). */
  readonly collectMetadata: true
}

/** Throws EEXIST when the name is taken. It is born down. */
export function createVxlan(netlink: Netlink, device: VxlanDevice): number {
  const { name, port } = device
  const create = createRequest(
    name,
    [textAttribute(IFLA.name, name)],
    'vxlan',
    uint8Attribute(VXLAN.collectMetadata, 1),
    uint16BeAttribute(VXLAN.port, port),
    uint8Attribute(VXLAN.udpZeroChecksum6Rx, 1),
  )
  const [created, found] = netlink.ask([create, getLinkRequest(name)])
  if (created?.error !== undefined) throw created.error
  return onlyLink(found?.replies).ifindex
}

function createRequest(
  name: string,
  attributes: readonly Uint8Array[],
  kind: string,
  ...settings: readonly Uint8Array[]
): Request {
  const information = nested(
    IFLA.linkInfo,
    textAttribute(INFO.kind, kind),
    nested(INFO.settings, ...settings),
  )
  return request({
    type: NEW_LINK,
    flags: FLAGS.create | FLAGS.exclusive,
    fixed: fixed(),
    attributes: [...attributes, information],
    operation: 'create',
    object: `${kind} ${name}`,
  })
}

/** In the order they must happen: address generation is chosen before the link comes up. */
export function setLinkRequests(ifindex: number, changes: LinkChanges): Request[] {
  const { up, noArp, addrGenModeNone } = changes
  const facts = { type: SET_LINK, operation: 'change', object: `interface ${ifindex}` }
  const mode = nested(IFLA.afSpec, nested(AF_INET6, uint8Attribute(8, GENERATE_NO_ADDRESS)))
  const first = request({ ...facts, fixed: fixed(ifindex), attributes: [mode] })
  const attributes = linkAttributes(changes)
  const changed = (up === undefined ? 0 : UP) | (noArp === undefined ? 0 : NO_ARP)
  const flags = (up ? UP : 0) | (noArp ? NO_ARP : 0)
  const second = request({ ...facts, fixed: fixed(ifindex, flags, changed), attributes })
  const needsSecond = attributes.length > 0 || changed !== 0
  return [...(addrGenModeNone ? [first] : []), ...(needsSecond ? [second] : [])]
}

export function setLink(netlink: Netlink, ifindex: number, changes: LinkChanges): void {
  netlink.run(...setLinkRequests(ifindex, changes))
}

export function deleteLinkRequest(ifindex: number): Request {
  const object = `interface ${ifindex}`
  return request({ type: DELETE_LINK, fixed: fixed(ifindex), operation: 'delete', object })
}

/** False: it was absent. */
export function deleteLink(netlink: Netlink, ifindex: number): boolean {
  const [error] = netlink.transact([deleteLinkRequest(ifindex)])
  if (error !== undefined && !isAbsent(error)) throw error
  return error === undefined
}

/** All interfaces of the socket's namespace. */
export function listLinks(netlink: Netlink): NetworkLink[] {
  const messages = netlink.dump(
    request({
      type: GET_LINK,
      flags: FLAGS.dump,
      fixed: fixed(),
      attributes: [uint32Attribute(IFLA.extMask, SKIP_STATISTICS)],
      operation: 'list',
      object: 'interfaces',
    }),
  )
  return messages.map(parseLink)
}

export function linkByName(netlink: Netlink, name: string): NetworkLink | undefined {
  return findLink(netlink, getLinkRequest(name))
}

export function linkByIndex(netlink: Netlink, ifindex: number): NetworkLink | undefined {
  return findLink(netlink, getLinkRequest(ifindex))
}

function findLink(netlink: Netlink, get: Request): NetworkLink | undefined {
  const [answer] = netlink.ask([get])
  if (answer?.error !== undefined) {
    if (isAbsent(answer.error)) return undefined
    throw answer.error
  }
  return onlyLink(answer?.replies)
}

function getLinkRequest(link: string | number): Request {
  const [index, names] =
    typeof link === 'number' ? [link, []] : [0, [textAttribute(IFLA.name, link)]]
  return request({
    type: GET_LINK,
    fixed: fixed(index),
    attributes: [...names, uint32Attribute(IFLA.extMask, SKIP_STATISTICS)],
    operation: 'find',
    object: `interface ${link}`,
  })
}

function isAbsent({ errno }: NetlinkError): boolean {
  return errno === constants.errno.ENODEV
}

function onlyLink(replies: readonly Message[] | undefined): NetworkLink {
  const [reply] = replies ?? []
  if (reply === undefined) throw new Error('Cannot find interface: the kernel sent none')
  return parseLink(reply)
}

function linkAttributes({ name, mtu, mac }: LinkChanges): Uint8Array[] {
  return [
    ...when(name, (text) => textAttribute(IFLA.name, text)),
    ...when(mtu, (bytes) => uint32Attribute(IFLA.mtu, bytes)),
    ...when(mac, (address) => attribute(IFLA.address, macToBytes(address))),
  ]
}

/** struct ifinfomsg. */
function fixed(ifindex = 0, flags = 0, change = 0): Uint8Array {
  const bytes = Buffer.alloc(FIXED_SIZE)
  bytes.writeInt32LE(ifindex, 4)
  bytes.writeUInt32LE(flags, 8)
  bytes.writeUInt32LE(change, 12)
  return bytes
}

function parseLink({ body }: Message): NetworkLink {
  const view = viewOf(body)
  const attributes = new Attributes(body, FIXED_SIZE)
  const flags = view.getUint32(8, true)
  const mac = attributes.bytes(IFLA.address)
  const linkInfo = attributes.nested(IFLA.linkInfo)
  const kind = linkInfo.text(INFO.kind)
  const port = kind === 'vxlan' ? linkInfo.nested(INFO.settings).bytes(VXLAN.port) : undefined
  return {
    ifindex: view.getInt32(4, true),
    name: attributes.text(IFLA.name) ?? '',
    kind,
    mac: mac?.length === 6 ? macFromBytes(mac) : undefined,
    mtu: attributes.uint32(IFLA.mtu) ?? 0,
    isUp: (flags & UP) !== 0,
    noArp: (flags & NO_ARP) !== 0,
    peerIfindex: attributes.uint32(IFLA.link),
    netnsId: attributes.int32(IFLA.netnsId),
    masterIfindex: attributes.uint32(IFLA.master),
    vxlanPort: port && viewOf(port).getUint16(0),
  }
}
