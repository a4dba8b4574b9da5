// Frontends that are asked from outside, on the test node's own address, and the frames that come
// of it: the same for both ways of forwarding.
import type * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import { addressToBytes } from '../../src/net/address.ts'
import { concat, uint16 } from '../../src/net/bytes.ts'
import { macFromBytes } from '../../src/net/mac.ts'
import type { Body, Packet } from '../../src/net/packet.ts'
import type { Step } from './fixture.ts'
import { frame, tunnelled, WAY } from './frames.ts'
import { IFINDEX, type MapRows, PORT, type Side, topologyRows } from './topology.ts'
import { NODE, wrapped } from './tunnel.ts'

/** Ports on the node; each has one backend, on port 8080. */
export const NODE_PORT = {
  none: 30080,
  podB: 30081,
  overlayPod: 30082,
  neighbourPod: 30083,
  /** A process of the neighbour itself. */
  neighbourNode: 30084,
  /** A process of this node. */
  node: 30085,
} as const
export type ExposedName = keyof typeof NODE_PORT

const PROTOCOLS = [6, 17]
const FIRST_ID = 7000

/** The topology with these frontends; `flags` of all of them. */
export function exposedRows(s: Side, flags = 0): Partial<MapRows> {
  const { services, backends } = topologyRows()
  const names = Object.entries(NODE_PORT) as [ExposedName, number][]
  const all = PROTOCOLS.flatMap((protocol) =>
    names.map(([name, port]) => ({ name, port, protocol, id: FIRST_ID + port + protocol })),
  )
  const value = (id: number, count: number): layout.Service => {
    const set = { id, count }
    return { id, internal: { id: 0, count: 0 }, external: set, affinitySeconds: 0, flags }
  }
  return {
    services: [
      ...services,
      ...all.map(({ name, port, protocol, id }) => {
        const key = { address: s.node, port, protocol }
        return [key, value(id, name === 'none' ? 0 : 1)] as const
      }),
    ],
    backends: [
      ...backends,
      ...all.flatMap(({ name, id }) => {
        if (name === 'none') return []
        const backend = { address: s[name], port: PORT.target, hits: 0n }
        return [[{ setId: id, slot: 0 }, backend] as const]
      }),
    ],
  }
}

/** The outside client's packet to a frontend of the node. */
export function asksFor(
  s: Side,
  body: Body,
  more: Partial<Packet> = {},
): Pick<Step, 'program' | 'on' | 'frame'> {
  return arrives(frame(WAY.fromPeer, s.world, s.node, body, more))
}

/** Any packet that comes by the uplink. */
export function arrives(bytes: Uint8Array): Pick<Step, 'program' | 'on' | 'frame'> {
  return { program: 'from_uplink', on: IFINDEX.uplink, frame: bytes }
}

/** The inner Ethernet addresses that name a backend. */
export function nameOf(
  backend: Address,
  port: number,
): Pick<Packet, 'sourceMac' | 'destinationMac'> {
  const bytes = concat(uint16(port), addressToBytes(backend).slice(6))
  return {
    destinationMac: macFromBytes(bytes.slice(0, 6)),
    sourceMac: macFromBytes(bytes.slice(6, 12)),
  }
}

/** Byte of the VXLAN header that says so, from the start of a frame over IPv4. */
const NAMES_BACKEND_AT = 14 + 20 + 8 + 7

export type Named = 'pod' | 'node'

function marked(bytes: Uint8Array, named: Named): Uint8Array {
  bytes[NAMES_BACKEND_AT] = named === 'pod' ? 1 : 2
  return bytes
}

/** The client's packet on its way to the node of its backend. */
export function namedOut(
  s: Side,
  node: Address,
  inner: Uint8Array,
  named: Named = 'pod',
): (actual: Uint8Array) => Uint8Array {
  return (actual) => marked(wrapped({ ...s, overlayNode: node }, inner)(actual), named)
}

/** The same as it arrives at the test node. */
export function namedIn(inner: Uint8Array, node: Address, named: Named = 'pod'): Uint8Array {
  return marked(tunnelled(inner, { source: node, destination: NODE }), named)
}
