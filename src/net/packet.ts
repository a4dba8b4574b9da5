// Builds whole Ethernet frames with right lengths and checksums: for packet fixtures and for
// measuring programs. What a frame does not say gets a plain default.
import { type Address, addressFamily, addressToNativeBytes } from './address.ts'
import { checksum, concat, uint32 } from './bytes.ts'
import { ETHERTYPE, ethernet } from './ethernet.ts'
import { type Mac, macToBytes } from './mac.ts'

/** An IP packet in an Ethernet frame; the family follows from the addresses. */
export interface Packet {
  readonly sourceMac: Mac
  readonly destinationMac: Mac
  readonly source: Address
  readonly destination: Address
  /** TTL or hop limit. Default 64. */
  readonly ttl?: number
  /** TOS or traffic class. */
  readonly tos?: number
  /** IPv4 identification. */
  readonly id?: number
  readonly dontFragment?: boolean
  /** IPv6 flow label. */
  readonly flowLabel?: number
  /** IPv4 options, a multiple of 4 bytes. */
  readonly options?: Uint8Array
  /** IPv6 extension headers before the body; their next-header bytes are filled in. */
  readonly extensions?: readonly { readonly type: number; readonly bytes: Uint8Array }[]
  readonly body: Body
}

export type Body =
  | {
      readonly kind: 'tcp'
      readonly sourcePort: number
      readonly destinationPort: number
      /** Letters of "FSRPA". Default "A". */
      readonly flags?: string
      readonly seq?: number
      readonly ack?: number
      readonly window?: number
      readonly payload?: Uint8Array
    }
  | {
      readonly kind: 'udp'
      readonly sourcePort: number
      readonly destinationPort: number
      readonly payload?: Uint8Array
      /** IPv4 only: leaves the checksum zero, "not computed". */
      readonly noChecksum?: boolean
    }
  /** ICMP or ICMPv6, by the packet's family. `rest` is the second word: id and sequence, MTU ... */
  | {
      readonly kind: 'icmp'
      readonly type: number
      readonly code: number
      readonly rest?: number
      readonly payload?: Uint8Array
    }
  | { readonly kind: 'raw'; readonly protocol: number; readonly payload: Uint8Array }
  /** A part of a datagram: bytes of its body from `offset` (a multiple of 8). */
  | {
      readonly kind: 'fragment'
      readonly protocol: number
      readonly offset: number
      readonly more: boolean
      readonly payload: Uint8Array
    }

const TCP_FLAGS = { F: 1, S: 2, R: 4, P: 8, A: 16 } as const
/** The frame of a packet. */
export function buildFrame(packet: Packet): Uint8Array {
  const type = addressFamily(packet.source) === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6
  return ethernet({ ...packet, type, payload: buildIp(packet) })
}

/** The IP packet without its Ethernet header. */
export function buildIp(packet: Omit<Packet, 'sourceMac' | 'destinationMac'>): Uint8Array {
  return addressFamily(packet.source) === 4 ? buildIpv4(packet) : buildIpv6(packet)
}

type IpPacket = Omit<Packet, 'sourceMac' | 'destinationMac'>

function buildIpv4(packet: IpPacket): Uint8Array {
  const { source, destination, ttl = 64, tos = 0, id = 0, options = new Uint8Array() } = packet
  const body = buildBody(packet)
  const header = new Uint8Array(20 + options.length)
  const view = new DataView(header.buffer)
  let fragment = packet.dontFragment ? 0x4000 : 0
  if (packet.body.kind === 'fragment') {
    fragment |= (packet.body.offset >> 3) | (packet.body.more ? 0x2000 : 0)
  }
  view.setUint8(0, 0x40 | (header.length / 4))
  view.setUint8(1, tos)
  view.setUint16(2, header.length + body.length)
  view.setUint16(4, id)
  view.setUint16(6, fragment)
  view.setUint8(8, ttl)
  view.setUint8(9, protocolOf(packet))
  header.set(addressToNativeBytes(source), 12)
  header.set(addressToNativeBytes(destination), 16)
  header.set(options, 20)
  view.setUint16(10, checksum(header))
  return concat(header, body)
}

function buildIpv6(packet: IpPacket): Uint8Array {
  const { source, destination, ttl = 64, tos = 0, id = 0, flowLabel = 0 } = packet
  const extensions = [...(packet.extensions ?? [])]
  if (packet.body.kind === 'fragment') {
    const bytes = new Uint8Array(8)
    const view = new DataView(bytes.buffer)
    view.setUint16(2, packet.body.offset | (packet.body.more ? 1 : 0))
    view.setUint32(4, id)
    extensions.push({ type: 44, bytes })
  }
  const protocol = protocolOf(packet)
  const chain = extensions.map(({ bytes }, index) => {
    const copy = bytes.slice()
    copy[0] = extensions[index + 1]?.type ?? protocol
    return copy
  })
  const body = concat(...chain, buildBody(packet))
  const header = new Uint8Array(40)
  const view = new DataView(header.buffer)
  view.setUint32(0, (6 << 28) | (tos << 20) | flowLabel)
  view.setUint16(4, body.length)
  view.setUint8(6, extensions[0]?.type ?? protocol)
  view.setUint8(7, ttl)
  header.set(addressToNativeBytes(source), 8)
  header.set(addressToNativeBytes(destination), 24)
  return concat(header, body)
}

/** IANA number of what follows the IP header and its extensions. */
export function protocolOf({ body, source }: Pick<Packet, 'body' | 'source'>): number {
  switch (body.kind) {
    case 'tcp':
      return 6
    case 'udp':
      return 17
    case 'icmp':
      return addressFamily(source) === 4 ? 1 : 58
    default:
      return body.protocol
  }
}

/** The transport header and payload, checksummed for the packet's addresses. */
export function buildBody(packet: IpPacket): Uint8Array {
  const { body, source } = packet
  const payload = body.payload ?? new Uint8Array()
  switch (body.kind) {
    case 'tcp': {
      const header = new Uint8Array(20)
      const view = new DataView(header.buffer)
      view.setUint16(0, body.sourcePort)
      view.setUint16(2, body.destinationPort)
      view.setUint32(4, body.seq ?? 0)
      view.setUint32(8, body.ack ?? 0)
      view.setUint8(12, 5 << 4)
      view.setUint8(13, tcpFlags(body.flags ?? 'A'))
      view.setUint16(14, body.window ?? 65535)
      return withChecksum(packet, concat(header, payload), 16)
    }
    case 'udp': {
      const bytes = concat(new Uint8Array(8), payload)
      const view = new DataView(bytes.buffer)
      view.setUint16(0, body.sourcePort)
      view.setUint16(2, body.destinationPort)
      view.setUint16(4, bytes.length)
      if (body.noChecksum) return bytes
      withChecksum(packet, bytes, 6)
      if (view.getUint16(6) === 0) view.setUint16(6, 0xffff)
      return bytes
    }
    case 'icmp': {
      const bytes = concat(new Uint8Array(8), payload)
      const view = new DataView(bytes.buffer)
      view.setUint8(0, body.type)
      view.setUint8(1, body.code)
      view.setUint32(4, body.rest ?? 0)
      if (addressFamily(source) === 6) return withChecksum(packet, bytes, 2)
      view.setUint16(2, checksum(bytes))
      return bytes
    }
    default:
      return payload
  }
}

function tcpFlags(letters: string): number {
  let flags = 0
  for (const letter of letters) {
    const bit = TCP_FLAGS[letter as keyof typeof TCP_FLAGS]
    if (bit === undefined) throw new Error(`Cannot build segment: no TCP flag "${letter}"`)
    flags |= bit
  }
  return flags
}

function withChecksum(packet: IpPacket, bytes: Uint8Array, at: number): Uint8Array {
  const sum = checksum(concat(pseudoHeader(packet, bytes.length), bytes))
  new DataView(bytes.buffer).setUint16(at, sum)
  return bytes
}

/** What transport checksums cover beside the segment (RFC 793, RFC 8200 8.1). */
function pseudoHeader(packet: IpPacket, length: number): Uint8Array {
  const addresses = [packet.source, packet.destination].map(addressToNativeBytes)
  return concat(...addresses, uint32(length), uint32(protocolOf(packet)))
}

/** The frames of a packet cut into parts of at most `size` bytes of body (a multiple of 8). */
export function fragments(packet: Packet, size: number): Uint8Array[] {
  const whole = buildBody(packet)
  const protocol = protocolOf(packet)
  const frames: Uint8Array[] = []
  for (let offset = 0; offset < whole.length; offset += size) {
    const payload = whole.slice(offset, offset + size)
    const more = offset + size < whole.length
    frames.push(
      buildFrame({ ...packet, body: { kind: 'fragment', protocol, offset, more, payload } }),
    )
  }
  return frames
}

/**
 * Body of a neighbour solicitation (135) or advertisement (136), with a link-layer address option.
 */
export function neighbourMessage(message: {
  readonly type: 135 | 136
  readonly target: Address
  readonly mac?: Mac
  /** Advertisements: router 0x80, solicited 0x40, override 0x20. */
  readonly flags?: number
}): Body {
  const { type, target, mac, flags = 0 } = message
  const option = mac ? concat(Uint8Array.of(type === 135 ? 1 : 2, 1), macToBytes(mac)) : undefined
  const payload = concat(addressToNativeBytes(target), option ?? new Uint8Array())
  return { kind: 'icmp', type, code: 0, rest: (flags << 24) >>> 0, payload }
}
