// Frames as they pass the hooks of the test node, by who sends them to whom.
import type { Address } from '../../src/net/address.ts'
import { vxlan } from '../../src/net/ethernet.ts'
import { type Body, buildFrame, type Packet } from '../../src/net/packet.ts'
import { MAC, VNI, VXLAN_PORT } from './topology.ts'

type Macs = Pick<Packet, 'sourceMac' | 'destinationMac'>

/** Ethernet addresses of a frame on its way. */
export const WAY = {
  outOfA: { sourceMac: MAC.podA, destinationMac: MAC.podAHost },
  intoA: { sourceMac: MAC.podAHost, destinationMac: MAC.podA },
  outOfB: { sourceMac: MAC.podB, destinationMac: MAC.podBHost },
  intoB: { sourceMac: MAC.podBHost, destinationMac: MAC.podB },
  fromPeer: { sourceMac: MAC.peer, destinationMac: MAC.uplink },
} satisfies Record<string, Macs>

export function tcp(
  sourcePort: number,
  destinationPort: number,
  flags = 'A',
  payload: Uint8Array = new TextEncoder().encode('weir'),
): Body {
  const withPayload = flags.includes('S') ? new Uint8Array() : payload
  return { kind: 'tcp', sourcePort, destinationPort, flags, seq: 7, ack: 9, payload: withPayload }
}

export function udp(
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array = new TextEncoder().encode('weir!'),
): Body {
  return { kind: 'udp', sourcePort, destinationPort, payload }
}

/** An echo request or reply of the packet's family. */
export function echo(family: number, id: number, { reply = false } = {}): Body {
  const type = family === 4 ? (reply ? 0 : 8) : reply ? 129 : 128
  const rest = ((id << 16) | 1) >>> 0
  return { kind: 'icmp', type, code: 0, rest, payload: new TextEncoder().encode('ping') }
}

/** A frame; `more` overrides what a plain one has. */
export function frame(
  macs: Macs,
  source: Address,
  destination: Address,
  body: Body,
  more: Partial<Packet> = {},
): Uint8Array {
  return buildFrame({ ...macs, source, destination, body, ...more })
}

/** A frame in VXLAN as another node sends it. */
export function tunnelled(
  inner: Uint8Array,
  outer: {
    readonly source: Address
    readonly destination: Address
    readonly vni?: number
    readonly port?: number
  },
): Uint8Array {
  const { source, destination, vni = VNI, port = VXLAN_PORT } = outer
  const payload = vxlan(vni, inner)
  const body: Body = {
    kind: 'udp',
    sourcePort: 50000,
    destinationPort: port,
    payload,
    noChecksum: true,
  }
  return buildFrame({ ...WAY.fromPeer, source, destination, body })
}
