// Packets to and from pods of other nodes by VXLAN, whose headers the programs write and remove
// themselves; and what must not be taken off the tunnel.
import assert from 'node:assert/strict'
import * as layout from '../../src/datapath/layout.gen.ts'
import { type Address, parseAddress } from '../../src/net/address.ts'
import { pattern } from '../../src/net/bytes.ts'
import { vxlan } from '../../src/net/ethernet.ts'
import type { Body } from '../../src/net/packet.ts'
import { complained, intoPod, ROUTED, sent, tooBig, tuple } from '../support/connection.ts'
import {
  type ExpectedFlow,
  type Fixture,
  reverse,
  runFixtures,
  type Step,
} from '../support/fixture.ts'
import { frame, tcp, tunnelled, udp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import {
  createDevices,
  IFINDEX,
  MAC,
  MTU,
  PORT,
  type Side,
  VNI,
  VXLAN_PORT,
} from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { SEEN_REPLY, REVERSE, FROM_OVERLAY, TRANSLATED, SERVICE } = layout.FlowFlags
const NODE = parseAddress('192.168.50.1')
const STRANGER = parseAddress('192.168.50.77')
const BY_HOST = { sourceMac: MAC.host, destinationMac: MAC.host }
const VXLAN_OVERHEAD = 50
const OVERLAY_MTU = MTU.uplink - VXLAN_OVERHEAD

/** The frame on the uplink; its UDP source port is a hash of the flow. */
function wrapped(s: Side, inner: Uint8Array): (actual: Uint8Array) => Uint8Array {
  return (actual) => {
    const sourcePort = new DataView(actual.buffer, actual.byteOffset).getUint16(34)
    assert.ok(sourcePort >= 32768, `source port ${sourcePort}`)
    const payload = vxlan(VNI, inner)
    const body: Body = { ...udp(sourcePort, VXLAN_PORT, payload), noChecksum: true } as Body
    return frame(BY_HOST, NODE, s.overlayNode, body, { dontFragment: true })
  }
}

/** Pod A's packet to the pod behind the tunnel. */
function toRemote(s: Side, body: Body): Step {
  const inner = frame(BY_HOST, s.podA, s.overlayPod, body, ROUTED)
  return { ...sent(s, 'podA', s.overlayPod, body), action: 'REDIRECT', out: wrapped(s, inner) }
}

interface Arriving {
  readonly node?: Address
  readonly vni?: number
  readonly port?: number
  readonly ttl?: number
}

/** A packet in VXLAN as it arrives at the uplink. */
function arriving(
  source: Address,
  destination: Address,
  body: Body,
  { node = parseAddress('192.168.50.2'), ttl = 63, ...more }: Arriving = {},
): Pick<Step, 'program' | 'on' | 'frame'> {
  const inner = frame(BY_HOST, source, destination, body, { ttl })
  const bytes = tunnelled(inner, { source: node, destination: NODE, ...more })
  return { program: 'from_uplink', on: IFINDEX.uplink, frame: bytes }
}

/** The remote pod's packet, and what pod A gets. */
function fromRemote(s: Side, body: Body): Step {
  const out = frame(WAY.intoA, s.overlayPod, s.podA, body, { ttl: 62 })
  return { ...arriving(s.overlayPod, s.podA, body), action: 'REDIRECT', out }
}

function remotePair(s: Side, flags: number): ExpectedFlow[] {
  const key = tuple(s.podA, 1000, s.overlayPod, 8080)
  const node = s.overlayNode
  const away = {
    next: layout.FlowNext.OVERLAY,
    fromIfindex: IFINDEX.podA,
    toIfindex: IFINDEX.overlay,
    mtu: OVERLAY_MTU,
  }
  return [
    { key, out: key, node, flags, epoch: 1, ...away },
    {
      key: reverse(key),
      out: reverse(key),
      node,
      flags: flags | REVERSE | FROM_OVERLAY,
      epoch: 1,
      ...intoPod('podA', IFINDEX.overlay),
    },
  ]
}

const ACROSS: readonly Fixture[] = [
  {
    name: 'a packet to a pod behind VXLAN leaves with the outer headers of this node',
    steps: (s) => [toRemote(s, tcp(1000, 8080, 'S'))],
    embryos: (s) => remotePair(s, 0),
  },
  {
    name: 'the answer arrives in VXLAN, is unwrapped and promotes the pair',
    steps: (s) => [
      toRemote(s, tcp(1000, 8080, 'S')),
      fromRemote(s, tcp(8080, 1000, 'SA')),
      toRemote(s, tcp(1000, 8080, 'PA')),
      fromRemote(s, tcp(8080, 1000, 'PA')),
    ],
    flows: (s) => remotePair(s, SEEN_REPLY),
    embryos: () => [],
  },
  {
    name: 'a connection from another node’s pod opens and is answered through the tunnel',
    steps: (s) => [
      fromRemote(s, udp(1000, 8080)),
      {
        ...sent(s, 'podA', s.overlayPod, udp(8080, 1000)),
        action: 'REDIRECT',
        out: wrapped(s, frame(BY_HOST, s.podA, s.overlayPod, udp(8080, 1000), ROUTED)),
      },
    ],
    flows: (s) => {
      const key = tuple(s.overlayPod, 1000, s.podA, 8080, 17)
      return [
        { key, out: key, flags: SEEN_REPLY | FROM_OVERLAY, node: s.overlayNode },
        { key: reverse(key), out: reverse(key), flags: SEEN_REPLY | REVERSE, node: s.overlayNode },
      ]
    },
  },
  {
    name: 'TOS is copied to the outer header',
    families: [4],
    steps: (s) => {
      const more = { tos: 0xb9 }
      const inner = frame(BY_HOST, s.podA, s.overlayPod, udp(1, 2), { ...more, ...ROUTED })
      return [
        {
          ...sent(s, 'podA', s.overlayPod, udp(1, 2), more),
          action: 'REDIRECT',
          out: (actual) => {
            const plain = wrapped(s, inner)(actual)
            const body = { kind: 'raw', protocol: 17, payload: plain.slice(34) } as const
            return frame(BY_HOST, NODE, s.overlayNode, body, { dontFragment: true, ...more })
          },
        },
      ]
    },
  },
  {
    name: 'a Service whose backend is behind VXLAN is translated inside the tunnel',
    steps: (s) => [
      {
        ...sent(s, 'podA', s.service, tcp(1000, PORT.overlay, 'S')),
        action: 'REDIRECT',
        out: wrapped(s, frame(BY_HOST, s.podA, s.overlayPod, tcp(1000, PORT.target, 'S'), ROUTED)),
      },
      {
        ...arriving(s.overlayPod, s.podA, tcp(PORT.target, 1000, 'SA')),
        action: 'REDIRECT',
        out: frame(WAY.intoA, s.service, s.podA, tcp(PORT.overlay, 1000, 'SA'), { ttl: 62 }),
      },
    ],
    flows: (s) => {
      const key = tuple(s.podA, 1000, s.service, PORT.overlay)
      const out = tuple(s.podA, 1000, s.overlayPod, PORT.target)
      const flags = SEEN_REPLY | TRANSLATED | SERVICE
      return [
        { key, out, flags },
        { key: reverse(out), out: reverse(key), flags: flags | REVERSE | FROM_OVERLAY },
      ]
    },
  },
  {
    name: 'packets for the node itself enter by weir_host',
    steps: (s) => {
      const body = udp(1000, 4240)
      const out = frame(
        { sourceMac: MAC.uplink, destinationMac: MAC.host },
        s.overlayPod,
        s.gateway,
        body,
      )
      return [{ ...arriving(s.overlayPod, s.gateway, body, { ttl: 64 }), action: 'REDIRECT', out }]
    },
    embryos: (s) => {
      const key = tuple(s.overlayPod, 1000, s.gateway, 4240, 17)
      const flags = FROM_OVERLAY
      return [
        { key, out: key, flags, next: layout.FlowNext.HOST, toIfindex: IFINDEX.host },
        { key: reverse(key), out: reverse(key), flags: REVERSE, next: layout.FlowNext.OVERLAY },
      ]
    },
  },
]

/** UDP whose IP packet has exactly so many bytes. */
function sized(s: Side, bytes: number): Body {
  return udp(1000, 8080, pattern(bytes - (s.family === 4 ? 28 : 48)))
}

const SIZES: readonly Fixture[] = [
  {
    name: 'a packet of exactly the MTU fits into the tunnel',
    steps: (s) => [toRemote(s, sized(s, OVERLAY_MTU))],
  },
  {
    name: 'a longer one is refused with the MTU that fits',
    steps: (s) => [
      complained(s, 'podA', s.overlayPod, sized(s, OVERLAY_MTU + 1), tooBig(OVERLAY_MTU)),
    ],
    drops: { TOO_BIG: 1 },
  },
  {
    name: 'between pods of the node the pod’s MTU counts',
    steps: (s) => [complained(s, 'podA', s.podB, sized(s, MTU.pod + 1), tooBig(MTU.pod))],
    drops: { TOO_BIG: 1 },
  },
]

const NOT_TAKEN: readonly Fixture[] = [
  {
    name: 'VXLAN from an address that is no node is dropped',
    steps: (s) => [
      { ...arriving(s.overlayPod, s.podA, udp(1, 2), { node: STRANGER }), action: 'SHOT' },
    ],
    flows: () => [],
    embryos: () => [],
    drops: { UNKNOWN_TUNNEL_PEER: 1 },
  },
  {
    name: 'a node may not send what lives on another one',
    steps: (s) => [
      { ...arriving(s.neighbourPod, s.podA, udp(1, 2)), action: 'SHOT' },
      { ...arriving(s.podB, s.podA, udp(1, 2)), action: 'SHOT' },
      { ...arriving(s.world, s.podA, udp(1, 2)), action: 'SHOT' },
    ],
    embryos: () => [],
    drops: { SPOOFED_SOURCE: 3 },
  },
  {
    name: 'an established flow is not open to another node',
    steps: (s) => [
      toRemote(s, tcp(1000, 8080, 'S')),
      fromRemote(s, tcp(8080, 1000, 'SA')),
      {
        ...arriving(s.overlayPod, s.podA, tcp(8080, 1000), { node: STRANGER }),
        action: 'SHOT',
      },
    ],
    flows: (s) => remotePair(s, SEEN_REPLY),
    drops: { UNKNOWN_TUNNEL_PEER: 1 },
  },
  {
    name: 'an address without a pod is refused',
    steps: (s) => [{ ...arriving(s.overlayPod, s.nobody, udp(1, 2)), action: 'SHOT' }],
    embryos: () => [],
    drops: { NO_ENDPOINT: 1 },
  },
  {
    name: 'this node is no transit to a third one',
    steps: (s) => [{ ...arriving(s.overlayPod, s.neighbourPod, udp(1, 2)), action: 'SHOT' }],
    embryos: () => [],
    drops: { NO_ROUTE: 1 },
  },
  {
    name: 'another VNI or another port is the host’s own',
    steps: (s) => [
      { ...arriving(s.overlayPod, s.podA, udp(1, 2), { vni: VNI + 1 }), action: 'OK' },
      { ...arriving(s.overlayPod, s.podA, udp(1, 2), { port: 4789 }), action: 'OK' },
    ],
    embryos: () => [],
  },
  {
    name: 'a packet of ours sent to another address than the node’s is not taken',
    families: [4],
    steps: (s) => {
      const inner = frame(BY_HOST, s.overlayPod, s.podA, udp(1, 2))
      const bytes = tunnelled(inner, { source: s.overlayNode, destination: s.neighbourNode })
      return [{ program: 'from_uplink', on: IFINDEX.uplink, frame: bytes, action: 'OK' }]
    },
  },
  {
    name: 'the pod’s own answers to a stranger stay on their way',
    steps: (s) => [{ ...sent(s, 'podA', s.world, udp(1000, 53)), action: 'OK' }],
    embryos: (s) => {
      const key = tuple(s.podA, 1000, s.world, 53, 17)
      return [
        { key, out: key, next: layout.FlowNext.STACK, flags: 0 },
        { key: reverse(key), out: reverse(key), ...intoPod('podA', 0), flags: REVERSE },
      ]
    },
  },
]

runFixtures(new World(), [...ACROSS, ...SIZES, ...NOT_TAKEN])
