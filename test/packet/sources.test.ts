// What a pod or the wire may not send: in the name of others, to nobody; and what is the stack's
// own business.
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import { parseAddress } from '../../src/net/address.ts'
import {
  complained,
  handshake,
  PODS,
  pairAToB,
  ROUTED,
  sent,
  UNREACHABLE,
} from '../support/connection.ts'
import { type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, udp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, type Side } from '../support/topology.ts'
import { fromRemote, remotePair, toRemote } from '../support/tunnel.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const REFUSED: readonly Fixture[] = [
  {
    name: 'another pod’s source address is refused',
    steps: (s) => [
      {
        program: 'from_pod',
        on: IFINDEX.podA,
        frame: frame(PODS.podA.out, s.podB, s.overlayPod, tcp(1000, 80, 'S')),
        action: 'SHOT',
      },
    ],
    flows: () => [],
    embryos: () => [],
    drops: { SPOOFED_SOURCE: 1 },
  },
  {
    name: 'an established flow is not open to another pod that sends its tuple',
    steps: (s) => [
      ...handshake(s),
      {
        program: 'from_pod',
        on: IFINDEX.podB,
        frame: frame(PODS.podB.out, s.podA, s.podB, tcp(1000, 8080)),
        action: 'SHOT',
      },
    ],
    flows: (s) => pairAToB(s),
    drops: { SPOOFED_SOURCE: 1 },
  },
  {
    name: 'a foreign source address is refused',
    steps: (s) => [
      {
        program: 'from_pod',
        on: IFINDEX.podA,
        frame: frame(PODS.podA.out, s.world, s.podB, udp(1000, 53)),
        action: 'SHOT',
      },
    ],
    drops: { SPOOFED_SOURCE: 1 },
  },
  {
    name: 'an address of the node’s podCIDR without a pod is refused with unreachable',
    steps: (s) => [
      complained(s, 'podA', s.nobody, tcp(1000, 80, 'S'), UNREACHABLE.address),
      complained(s, 'podA', s.nobody, udp(1000, 80), UNREACHABLE.address),
    ],
    flows: () => [],
    embryos: () => [],
    drops: { NO_ENDPOINT: 2 },
  },
  {
    name: 'IPv4 in IPv6’s clothes is refused',
    families: [6],
    steps: (s) => {
      const packet = sent(s, 'podA', s.podB, udp(1000, 53))
      const disguised = packet.frame.slice()
      // ::ffff:10.0.1.6 as destination of an IPv6 header, which parseAddress() would make IPv4.
      disguised.set(Buffer.from('00000000000000000000ffff0a000106', 'hex'), 38)
      return [{ ...packet, frame: disguised, action: 'SHOT' }]
    },
    drops: { MALFORMED: 1 },
  },
]

/** A packet for pod A as it comes by the uplink, without VXLAN. */
function byWire(s: Side, source: Address, action: 'SHOT' | 'REDIRECT'): Step {
  const body = tcp(8080, 1000)
  const bytes = frame(WAY.fromPeer, source, s.podA, body)
  const out = frame(WAY.intoA, source, s.podA, body, ROUTED)
  return { program: 'from_uplink', on: IFINDEX.uplink, frame: bytes, action, out }
}

const WIRE: readonly Fixture[] = [
  {
    name: 'from the wire nobody sends who lives on this node, or a pod behind the overlay',
    steps: (s) =>
      [s.podB, s.nobody, s.gateway, s.node, s.overlayPod].map((own) => byWire(s, own, 'SHOT')),
    flows: () => [],
    embryos: () => [],
    drops: { SPOOFED_SOURCE: 5 },
  },
  {
    name: 'from the wire the world sends, pods that are routed, and nodes behind the overlay',
    families: [4],
    steps: (s) =>
      [s.world, s.neighbourPod, s.routedPod, s.overlayNode].map((other) =>
        byWire(s, other, 'REDIRECT'),
      ),
  },
  {
    name: 'an established flow by the overlay is not open to the wire',
    steps: (s) => [
      toRemote(s, tcp(1000, 8080, 'S')),
      fromRemote(s, tcp(8080, 1000, 'SA')),
      toRemote(s, tcp(1000, 8080)),
      byWire(s, s.overlayPod, 'SHOT'),
      fromRemote(s, tcp(8080, 1000)),
    ],
    flows: (s) => remotePair(s, layout.FlowFlags.SEEN_REPLY),
    drops: { SPOOFED_SOURCE: 1 },
  },
]

const LINK_LOCAL = parseAddress('fe80::5')

const LEFT_ALONE: readonly Fixture[] = [
  {
    name: 'multicast is left to the stack',
    steps: (s) => {
      const group = parseAddress(s.family === 4 ? '224.0.0.251' : 'ff02::fb')
      return [{ ...sent(s, 'podA', group, udp(5353, 5353)), action: 'PASS' }]
    },
    embryos: () => [],
  },
  {
    name: 'link-local addresses are left to the stack',
    families: [6],
    steps: (s) => [{ ...sent(s, 'podA', LINK_LOCAL, udp(1000, 1000)), action: 'PASS' }],
    embryos: () => [],
  },
]

runFixtures(new World(), [...REFUSED, ...WIRE, ...LEFT_ALONE])
