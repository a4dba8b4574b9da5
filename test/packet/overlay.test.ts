// Packets to and from pods of other nodes by VXLAN, whose headers the programs write and remove
// themselves.
import * as layout from '../../src/datapath/layout.gen.ts'
import { pattern } from '../../src/net/bytes.ts'
import type { Body } from '../../src/net/packet.ts'
import { complained, delivered, ROUTED, sent, tooBig, tuple } from '../support/connection.ts'
import { type Fixture, reverse, runFixtures } from '../support/fixture.ts'
import { frame, tcp, udp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, MAC, MTU, PORT, type Side } from '../support/topology.ts'
import {
  arriving,
  BY_HOST,
  fromRemote,
  NODE,
  OVERLAY_MTU,
  remotePair,
  toRemote,
  wrapped,
} from '../support/tunnel.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { SEEN_REPLY, REVERSE, FROM_OVERLAY, TRANSLATED, SERVICE } = layout.FlowFlags

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
      {
        ...sent(s, 'podA', s.service, tcp(1000, PORT.overlay)),
        action: 'REDIRECT',
        out: wrapped(s, frame(BY_HOST, s.podA, s.overlayPod, tcp(1000, PORT.target), ROUTED)),
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
    name: 'of a packet that will be cut, only the parts have to fit',
    steps: (s) => {
      const headers = s.family === 4 ? 40 : 60
      const body = tcp(1000, 8080, 'A', pattern(3000))
      const fits = { ...delivered(s, 'podA', 'podB', body), gsoSize: MTU.pod - headers }
      const refused = complained(s, 'podA', s.podB, body, tooBig(MTU.pod))
      return [fits, { ...refused, gsoSize: MTU.pod - headers + 1 }]
    },
    drops: { TOO_BIG: 1 },
  },
  {
    name: 'between pods of the node the pod’s MTU counts',
    steps: (s) => [complained(s, 'podA', s.podB, sized(s, MTU.pod + 1), tooBig(MTU.pod))],
    drops: { TOO_BIG: 1 },
  },
]

runFixtures(new World(), [...ACROSS, ...SIZES])
