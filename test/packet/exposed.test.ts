// Who asks a node from outside for a backend of another node: the client becomes the node, on tc
// and on XDP alike.
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Body } from '../../src/net/packet.ts'
import { intoPod, ROUTED, tuple } from '../support/connection.ts'
import { arrived, askedBy, exposedRows, NODE_PORT, WAYS, type Way } from '../support/exposed.ts'
import { type Fixture, reverse, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, udp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, MASQUERADE, MTU, PORT, type Side } from '../support/topology.ts'
import { arriving, BY_HOST, wrapped } from '../support/tunnel.ts'
import { World } from '../support/world.ts'
import { settle } from '../support/xdp.ts'

enterOwnNetns()
createDevices()

const { SEEN_REPLY, TRANSLATED, SERVICE, SNAT, REVERSE } = layout.FlowFlags
const CLIENT = 1000
const OWN = MASQUERADE.first

/** The client's packet, and what leaves for the neighbour's pod. */
function toNeighbour(way: Way, s: Side, body: (from: number, to: number) => Body): Step {
  return {
    ...askedBy(way, s, body(CLIENT, NODE_PORT.neighbourPod)),
    ...{ before: settle, action: way.sent },
    out: frame(way.macs, s.node, s.neighbourPod, body(OWN, PORT.target), ROUTED),
  }
}

function fromNeighbour(way: Way, s: Side, body: (from: number, to: number) => Body): Step {
  const bytes = frame(WAY.fromPeer, s.neighbourPod, s.node, body(PORT.target, OWN))
  return {
    ...arrived(way, bytes),
    ...{ before: settle, action: way.sent },
    out: frame(way.macs, s.node, s.world, body(NODE_PORT.neighbourPod, CLIENT), ROUTED),
  }
}

const segment = (flags: string) => (from: number, to: number) => tcp(from, to, flags)

const SNATTED: readonly Fixture[] = WAYS.flatMap((way): Fixture[] => [
  {
    name: `${way.name}: TCP to a backend of a neighbour, opened, answered and established`,
    rows: (s) => exposedRows(s),
    steps: (s) => [
      toNeighbour(way, s, segment('S')),
      fromNeighbour(way, s, segment('SA')),
      toNeighbour(way, s, segment('A')),
      fromNeighbour(way, s, segment('PA')),
      toNeighbour(way, s, segment('FA')),
    ],
    flows: (s) => {
      const key = tuple(s.world, CLIENT, s.node, NODE_PORT.neighbourPod)
      const out = tuple(s.node, OWN, s.neighbourPod, PORT.target)
      const flags = SEEN_REPLY | TRANSLATED | SERVICE | SNAT
      return [
        { key, out, next: layout.FlowNext.NEIGHBOUR },
        {
          key: reverse(out),
          out: reverse(key),
          next: layout.FlowNext.FIB,
          flags: flags | REVERSE | layout.FlowFlags.BY_UPLINK,
        },
      ]
    },
    embryos: () => [],
  },
  {
    name: `${way.name}: UDP to a backend of a neighbour and back`,
    rows: (s) => exposedRows(s),
    steps: (s) => [toNeighbour(way, s, udp), fromNeighbour(way, s, udp), toNeighbour(way, s, udp)],
    embryos: () => [],
  },
  {
    name: `${way.name}: to a backend behind VXLAN and back`,
    rows: (s) => exposedRows(s),
    steps: (s) => {
      const translated = frame(BY_HOST, s.node, s.overlayPod, udp(OWN, PORT.target), ROUTED)
      return [
        {
          ...askedBy(way, s, udp(CLIENT, NODE_PORT.overlayPod)),
          ...{ before: settle, action: way.sent },
          out: wrapped(s, translated, way.wrappedMacs),
        },
        {
          ...arriving(s.overlayPod, s.node, udp(PORT.target, OWN)),
          ...{ before: settle, program: way.program, action: way.sent },
          out: frame(
            way.program === 'xdp_uplink' ? way.macs : WAY.fromPeer,
            ...([s.node, s.world, udp(NODE_PORT.overlayPod, CLIENT), { ttl: 62 }] as const),
          ),
        },
      ]
    },
  },
  {
    name: `${way.name}: a source that the Service does not take is dropped`,
    rows: (s) => exposedRows(s, layout.ServiceFlags.SOURCE_RANGES),
    steps: (s) => [{ ...askedBy(way, s, udp(CLIENT, NODE_PORT.neighbourPod)), action: 'SHOT' }],
    embryos: () => [],
    drops: { SOURCE_RANGE: 1 },
  },
])

/** XDP makes the pair, and leaves the packet as it is to tc. */
const LEFT: readonly Fixture[] = [
  {
    name: 'XDP: a backend of this node is tc’s, which follows the pair that XDP made',
    rows: (s) => exposedRows(s),
    steps: (s) => {
      const [tc, xdp] = WAYS as [Way, Way]
      return [
        { ...askedBy(xdp, s, udp(CLIENT, NODE_PORT.podB)), action: 'PASS' },
        {
          ...askedBy(tc, s, udp(CLIENT, NODE_PORT.podB)),
          action: 'REDIRECT',
          out: frame(WAY.intoB, s.world, s.podB, udp(CLIENT, PORT.target), ROUTED),
        },
      ]
    },
    embryos: (s) => {
      const key = tuple(s.world, CLIENT, s.node, NODE_PORT.podB, 17)
      const out = tuple(s.world, CLIENT, s.podB, PORT.target, 17)
      return [
        { key, out, ...intoPod('podB', 0), packets: 1n },
        { key: reverse(out), out: reverse(key), toIfindex: IFINDEX.uplink, mtu: MTU.uplink },
      ]
    },
  },
  {
    name: 'XDP: what is owed an answer is tc’s',
    rows: (s) => exposedRows(s),
    steps: (s) => {
      const [, xdp] = WAYS as [Way, Way]
      return [
        { ...askedBy(xdp, s, tcp(CLIENT, NODE_PORT.none, 'S')), action: 'PASS' },
        { ...askedBy(xdp, s, udp(CLIENT, NODE_PORT.none)), action: 'PASS' },
      ]
    },
    embryos: () => [],
  },
]

// One port to draw from, so that frames can be told beforehand.
runFixtures(new World({ config: { masqueradeCount: 1 } }), [...SNATTED, ...LEFT])
