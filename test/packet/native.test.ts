// Packets that leave or enter without VXLAN: native routing to neighbours and through routers, the
// world, the node's own stack, TTL, and the node's own packets through the gateway.
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import type { Body, Packet } from '../../src/net/packet.ts'
import {
  complaint,
  handshake,
  intoPod,
  ROUTED,
  sent,
  tuple,
  UNREACHABLE,
} from '../support/connection.ts'
import {
  type ExpectedFlow,
  type Fixture,
  reverse,
  runFixtures,
  type Step,
} from '../support/fixture.ts'
import { frame, tcp, udp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, MAC, MTU, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { SEEN_REPLY, REVERSE, ON_LINK, BY_STACK, BY_UPLINK } = layout.FlowFlags
const { NEIGHBOUR, FIB, STACK } = layout.FlowNext

/** Pod A's packet out by the uplink: the kernel writes the Ethernet header after the verdict. */
function leaves(s: Side, to: Address, body: Body): Step {
  const out = frame(WAY.outOfA, s.podA, to, body, ROUTED)
  return { ...sent(s, 'podA', to, body), action: 'REDIRECT', out }
}

/** A packet from the wire that pod A gets. */
function arrives(s: Side, from: Address, body: Body): Step {
  return {
    program: 'from_uplink',
    on: IFINDEX.uplink,
    frame: frame(WAY.fromPeer, from, s.podA, body),
    action: 'REDIRECT',
    out: frame(WAY.intoA, from, s.podA, body, ROUTED),
  }
}

function nativePair(s: Side, to: Address, away: Partial<layout.Flow>): ExpectedFlow[] {
  const key = tuple(s.podA, 1000, to, 8080)
  const way = { fromIfindex: IFINDEX.podA, toIfindex: IFINDEX.uplink, mtu: MTU.uplink, ...away }
  const back = { flags: SEEN_REPLY | REVERSE, ...intoPod('podA', 0) }
  return [
    { key, out: key, ...way },
    { key: reverse(key), out: reverse(key), ...back },
  ]
}

const NATIVE: readonly Fixture[] = [
  {
    name: 'a pod of a neighbour is reached on the uplink, and answers',
    steps: (s) => [
      leaves(s, s.neighbourPod, tcp(1000, 8080, 'S')),
      arrives(s, s.neighbourPod, tcp(8080, 1000, 'SA')),
      leaves(s, s.neighbourPod, tcp(1000, 8080)),
    ],
    flows: (s) => {
      const flags = SEEN_REPLY | ON_LINK
      return nativePair(s, s.neighbourPod, { next: NEIGHBOUR, node: s.neighbourNode, flags })
    },
  },
  {
    name: 'a pod of a node behind a router is reached as the routes say',
    steps: (s) => [
      leaves(s, s.routedPod, tcp(1000, 8080, 'S')),
      arrives(s, s.routedPod, tcp(8080, 1000, 'SA')),
      leaves(s, s.routedPod, tcp(1000, 8080)),
    ],
    flows: (s) => nativePair(s, s.routedPod, { next: FIB, flags: SEEN_REPLY }),
  },
  {
    name: 'a connection from the world by the uplink is answered by the uplink',
    steps: (s) => [
      arrives(s, s.world, tcp(1000, 8080, 'S')),
      leaves(s, s.world, tcp(8080, 1000, 'SA')),
      arrives(s, s.world, tcp(1000, 8080)),
    ],
    flows: (s) => {
      const key = tuple(s.world, 1000, s.podA, 8080)
      const flags = SEEN_REPLY | REVERSE | BY_UPLINK
      return [
        { key, out: key, flags: SEEN_REPLY, ...intoPod('podA', 0) },
        { key: reverse(key), out: reverse(key), flags, next: FIB, toIfindex: IFINDEX.uplink },
      ]
    },
  },
  {
    name: 'an address of the podCIDR without a pod is refused, and the sender told so',
    steps: (s) => {
      const body = tcp(1, 2, 'S')
      const bytes = frame(WAY.fromPeer, s.neighbourPod, s.nobody, body)
      const macs = { sourceMac: MAC.uplink, destinationMac: MAC.peer }
      const out = frame(macs, s.gateway, s.neighbourPod, complaint(s, bytes, UNREACHABLE.address), {
        dontFragment: true,
      })
      return [{ program: 'from_uplink', on: IFINDEX.uplink, frame: bytes, action: 'REDIRECT', out }]
    },
    embryos: () => [],
    drops: { NO_ENDPOINT: 1 },
  },
  {
    name: 'a packet for another host on the wire is nobody’s to answer',
    steps: (s) => {
      const macs = { ...WAY.fromPeer, destinationMac: MAC.podA }
      const bytes = frame(macs, s.neighbourPod, s.nobody, tcp(1, 2, 'S'))
      return [{ program: 'from_uplink', on: IFINDEX.uplink, frame: bytes, action: 'PASS' }]
    },
    embryos: () => [],
  },
  {
    name: 'what arrives for no pod is the host’s own',
    steps: (s) =>
      [s.node, s.gateway, s.world].map((to) => ({
        program: 'from_uplink',
        on: IFINDEX.uplink,
        frame: frame(WAY.fromPeer, s.neighbourPod, to, tcp(1, 2, 'S')),
        action: 'PASS',
      })),
    embryos: () => [],
  },
]

/** A packet that is routed no further: the stack gets it as it is, and says so. */
function expired(s: Side, to: Address, more: Partial<Packet>): Step {
  return { ...sent(s, 'podA', to, udp(1000, 2000), more), action: 'PASS' }
}

const TTL: readonly Fixture[] = [
  {
    name: 'a packet on its last hop is left to the stack, which knows how to complain',
    steps: (s) => [
      expired(s, s.podB, { ttl: 1 }),
      expired(s, s.overlayPod, { ttl: 1 }),
      expired(s, s.neighbourPod, { ttl: 1 }),
    ],
  },
  {
    name: 'a TTL of two passes once more',
    steps: (s) => [
      {
        ...sent(s, 'podA', s.podB, udp(1000, 2000), { ttl: 2 }),
        action: 'REDIRECT',
        out: frame(WAY.intoB, s.podA, s.podB, udp(1000, 2000), { ttl: 1 }),
      },
    ],
  },
]

/** A packet of the node's own stack on its way into pod A. */
function fromStack(s: Side, from: Address, body: Body): Step {
  return {
    program: 'to_pod',
    on: IFINDEX.podA,
    frame: frame(WAY.intoA, from, s.podA, body),
    action: 'PASS',
  }
}

const STACKED: readonly Fixture[] = [
  {
    name: 'a connection from the node to its pod is answered into the stack',
    steps: (s) => [
      fromStack(s, s.gateway, tcp(1000, 8080, 'S')),
      { ...sent(s, 'podA', s.gateway, tcp(8080, 1000, 'SA')), action: 'PASS' },
      fromStack(s, s.gateway, tcp(1000, 8080)),
    ],
    flows: (s) => {
      const key = tuple(s.gateway, 1000, s.podA, 8080)
      const flags = SEEN_REPLY | REVERSE | BY_STACK
      return [
        { key, out: key, flags: SEEN_REPLY, ...intoPod('podA', 0), packets: 2n },
        { key: reverse(key), out: reverse(key), flags, next: STACK },
      ]
    },
  },
  {
    name: 'a pod’s connection to its node goes to the stack, and the answer comes from there',
    steps: (s) => [
      { ...sent(s, 'podA', s.node, tcp(1000, 22, 'S')), action: 'PASS' },
      fromStack(s, s.node, tcp(22, 1000, 'SA')),
      { ...sent(s, 'podA', s.node, tcp(1000, 22)), action: 'PASS' },
    ],
    flows: (s) => {
      const key = tuple(s.podA, 1000, s.node, 22)
      return [
        { key, out: key, flags: SEEN_REPLY, next: STACK },
        {
          key: reverse(key),
          out: reverse(key),
          flags: SEEN_REPLY | REVERSE,
          ...intoPod('podA', 0),
        },
      ]
    },
  },
  {
    name: 'what the stack forwards from the world is answered into the stack, not by the uplink',
    steps: (s) => [
      fromStack(s, s.world, tcp(1000, 8080, 'S')),
      { ...sent(s, 'podA', s.world, tcp(8080, 1000, 'SA')), action: 'PASS' },
    ],
  },
]

/** The node's own packet through weir_host; its TTL is its own affair. */
function fromNode(s: Side, to: Address, body: Body): Pick<Step, 'program' | 'on' | 'frame'> {
  const macs = { sourceMac: MAC.host, destinationMac: MAC.peer }
  return { program: 'from_host', on: IFINDEX.host, frame: frame(macs, s.gateway, to, body) }
}

const HOST: readonly Fixture[] = [
  {
    name: 'the node’s own packets to a neighbour’s pod keep their TTL',
    steps: (s) => [{ ...fromNode(s, s.neighbourPod, udp(1000, 53)), action: 'REDIRECT' }],
    embryos: (s) => {
      const key = tuple(s.gateway, 1000, s.neighbourPod, 53, 17)
      return [
        { key, out: key, next: NEIGHBOUR, fromIfindex: 0 },
        { key: reverse(key), out: reverse(key), next: STACK, flags: REVERSE },
      ]
    },
  },
  {
    name: 'through the gateway nothing comes back into the stack',
    steps: (s) => [
      { ...fromNode(s, s.world, tcp(1000, 53, 'R')), action: 'REDIRECT', out: noRoute(s) },
    ],
    embryos: () => [],
    drops: { NO_ROUTE: 1 },
  },
]

/** To the node, which would not believe its own address, the destination complains. */
function noRoute(s: Side): Uint8Array {
  const { frame: refused } = fromNode(s, s.world, tcp(1000, 53, 'R'))
  const [type, code] = s.family === 4 ? [3, 0] : [1, 0]
  const payload = refused.slice(14, 14 + (s.family === 4 ? 40 : 60))
  const macs = { sourceMac: MAC.uplink, destinationMac: MAC.host }
  const body: Body = { kind: 'icmp', type, code, payload }
  return frame(macs, s.world, s.gateway, body, { dontFragment: true })
}

const STALE: readonly Fixture[] = [
  {
    name: 'an established flow follows its pod to another node when the epoch changes',
    steps: (s) => [
      ...handshake(s),
      {
        ...leaves(s, s.podB, tcp(1000, 8080)),
        before: (world) => {
          const { ON_LINK: flags } = layout.DestinationFlags
          const key = { prefixLength: 128, address: s.podB }
          const row = [key, { node: s.neighbourNode, tunnel: s.neighbourNode, flags }] as const
          world.entries(layout.maps.endpoints).deleteMany([{ address: s.podB }])
          world.entries(layout.maps.destinations).updateMany([row])
          world.epoch = 2
        },
      },
    ],
  },
]

runFixtures(new World(), [...NATIVE, ...TTL, ...STACKED, ...HOST, ...STALE])
