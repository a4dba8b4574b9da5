// Direct server return: the asked node sends the client's packet on as it is and names the backend;
// the backend's node answers the client as the frontend. On tc and XDP, over VXLAN and natively.
import * as layout from '../../src/datapath/layout.gen.ts'
import { type Address, parseAddress } from '../../src/net/address.ts'
import type { Body } from '../../src/net/packet.ts'
import { complaint, intoPod, ROUTED, refusal, sent, tooBig, tuple } from '../support/connection.ts'
import {
  arrives,
  asksFor,
  exposedRows,
  NODE_PORT,
  namedIn,
  namedOut,
  nameOf,
} from '../support/exposed.ts'
import { BOTH_HOOKS, type Fixture, reverse, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, udp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import {
  createDevices,
  IFINDEX,
  MAC,
  MTU,
  NEIGHBOUR_TUNNEL,
  PORT,
  type Side,
} from '../support/topology.ts'
import { OVERLAY_MTU, STRANGER } from '../support/tunnel.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { SEEN_REPLY, TRANSLATED, SERVICE, REVERSE, DSR, FROM_OVERLAY } = layout.FlowFlags
const CLIENT = 1000
const NOWHERE = parseAddress('::')
const rows = (s: Side) => exposedRows(s, layout.ServiceFlags.DSR)

/** The client's packet, and how it goes to the node of the pod behind VXLAN. */
function passedOn(s: Side, body: Body): Step {
  const name = nameOf(s.overlayPod, PORT.target)
  return {
    ...asksFor(s, body),
    ...{ action: 'REDIRECT', sentByXdp: true },
    out: namedOut(s, s.overlayNode, frame(name, s.world, s.node, body, ROUTED)),
  }
}

const ASKED: readonly Fixture[] = [
  {
    name: 'TCP goes on as it came, and is established by the client’s ACK',
    rows,
    steps: (s) =>
      ['S', 'A', 'PA', 'FA'].map((flags) => passedOn(s, tcp(CLIENT, NODE_PORT.overlayPod, flags))),
    flows: (s) => {
      const key = tuple(s.world, CLIENT, s.node, NODE_PORT.overlayPod)
      const out = tuple(s.world, CLIENT, s.overlayPod, PORT.target)
      const next = { next: layout.FlowNext.OVERLAY, node: s.overlayNode, mtu: OVERLAY_MTU }
      return [
        { key, out, ...next },
        { key: reverse(out), out: reverse(key) },
      ]
    },
    embryos: () => [],
  },
  {
    name: 'UDP goes on as it came, and is established by the client’s second packet',
    rows,
    steps: (s) => [1, 2, 3].map(() => passedOn(s, udp(CLIENT, NODE_PORT.overlayPod))),
    flows: (s) => {
      const key = tuple(s.world, CLIENT, s.node, NODE_PORT.overlayPod, 17)
      const out = tuple(s.world, CLIENT, s.overlayPod, PORT.target, 17)
      return [
        { key, out, flags: SEEN_REPLY | TRANSLATED | SERVICE | DSR, packets: 3n },
        { key: reverse(out), out: reverse(key) },
      ]
    },
    embryos: () => [],
  },
  {
    name: 'one datagram alone establishes nothing, also when both hooks have met it',
    // XDP makes the pair, and leaves it to tc to find out the MAC of the backend's node.
    rows: (s) => {
      const unknown = { node: STRANGER, flags: layout.DestinationFlags.OVERLAY, tunnel: NOWHERE }
      return { ...rows(s), destinations: [[{ prefixLength: 128, address: s.overlayPod }, unknown]] }
    },
    steps: (s) => {
      const body = udp(CLIENT, NODE_PORT.overlayPod)
      const inner = frame(nameOf(s.overlayPod, PORT.target), s.world, s.node, body, ROUTED)
      return [{ ...asksFor(s, body), action: 'REDIRECT', out: namedOut(s, STRANGER, inner) }]
    },
    embryos: (s) => {
      const key = tuple(s.world, CLIENT, s.node, NODE_PORT.overlayPod, 17)
      const out = tuple(s.world, CLIENT, s.overlayPod, PORT.target, 17)
      return [
        { key, out, packets: 1n },
        { key: reverse(out), out: reverse(key) },
      ]
    },
    flows: () => [],
  },
  {
    name: 'to nodes that are reached natively too, by their IPv4 address',
    rows,
    steps: (s) =>
      (['neighbourPod', 'neighbourNode'] as const).map((backend) => {
        const body = udp(CLIENT, NODE_PORT[backend])
        const inner = frame(nameOf(s[backend], PORT.target), s.world, s.node, body, ROUTED)
        const named = backend === 'neighbourPod' ? 'pod' : 'node'
        return {
          ...asksFor(s, body),
          ...{ action: 'REDIRECT', sentByXdp: true },
          out: namedOut(s, NEIGHBOUR_TUNNEL, inner, named),
        }
      }),
  },
]

const LARGE = new Uint8Array(OVERLAY_MTU)
const ERRORS: readonly Fixture[] = [
  {
    name: 'what does not fit into VXLAN is answered to the client, in the name of the frontend',
    rows,
    steps: (s) => {
      const body = udp(CLIENT, NODE_PORT.overlayPod, LARGE.slice(0, MTU.uplink - 60))
      const asked = asksFor(s, body)
      const macs = { sourceMac: MAC.uplink, destinationMac: MAC.peer }
      const answer = complaint(s, asked.frame, tooBig(OVERLAY_MTU))
      const out = frame(macs, s.node, s.world, answer, { dontFragment: true })
      return [{ ...asked, action: 'REDIRECT', out }]
    },
    drops: { TOO_BIG: 1 },
  },
  {
    name: 'an ICMP error about an answer goes the way of the client’s packets',
    rows,
    steps: (s) => {
      const answer = frame(WAY.fromPeer, s.node, s.world, udp(NODE_PORT.overlayPod, CLIENT))
      const error = frame(WAY.fromPeer, s.world, s.node, complaint(s, answer, tooBig(1400)))
      const name = nameOf(s.overlayPod, PORT.target)
      const inner = frame(name, s.world, s.node, complaint(s, answer, tooBig(1400)), ROUTED)
      return [
        passedOn(s, udp(CLIENT, NODE_PORT.overlayPod)),
        {
          ...arrives(error),
          action: 'REDIRECT',
          out: namedOut(s, s.overlayNode, inner),
        },
      ]
    },
  },
]

const ASKED_THERE = 30090

/** A client's packet to the frontend of another node, which names a backend of this one. */
function handedOver(
  s: Side,
  backend: Address,
  body: Body,
  { source = s.world, node = s.overlayNode } = {},
): Pick<Step, 'program' | 'on' | 'frame'> {
  const inner = frame(nameOf(backend, PORT.target), source, frontend(s), body, { ttl: 63 })
  return {
    program: 'from_uplink',
    on: IFINDEX.uplink,
    frame: namedIn(inner, node, backend === s.node ? 'node' : 'pod'),
  }
}

/** An address of the node that was asked, or of a load balancer. */
function frontend(s: Side): Address {
  return s.family === 4 ? s.overlayNode : s.neighbourNode
}

function intoBackend(s: Side, body: (from: number, to: number) => Body): Step {
  return {
    ...handedOver(s, s.podA, body(CLIENT, ASKED_THERE)),
    action: 'REDIRECT',
    out: frame(WAY.intoA, s.world, s.podA, body(CLIENT, PORT.target), { ttl: 62 }),
  }
}

function answered(s: Side, body: (from: number, to: number) => Body): Step {
  const out = frame(WAY.outOfA, frontend(s), s.world, body(ASKED_THERE, CLIENT), ROUTED)
  return { ...sent(s, 'podA', s.world, body(PORT.target, CLIENT)), action: 'REDIRECT', out }
}

const segment = (flags: string) => (from: number, to: number) => tcp(from, to, flags)

const ANSWERED: readonly Fixture[] = [
  {
    name: 'the backend’s node answers the client as the frontend',
    steps: (s) => [
      intoBackend(s, segment('S')),
      answered(s, segment('SA')),
      intoBackend(s, segment('A')),
      answered(s, segment('PA')),
    ],
    flows: (s) => {
      const key = tuple(s.world, CLIENT, frontend(s), ASKED_THERE)
      const out = tuple(s.world, CLIENT, s.podA, PORT.target)
      const flags = SEEN_REPLY | TRANSLATED | SERVICE
      const from = { flags: flags | FROM_OVERLAY, node: s.overlayNode }
      return [
        { key, out, ...intoPod('podA', IFINDEX.overlay), ...from },
        {
          ...{ key: reverse(out), out: reverse(key), next: layout.FlowNext.FIB },
          ...{ flags: flags | REVERSE | layout.FlowFlags.BY_UPLINK, fromIfindex: IFINDEX.podA },
        },
      ]
    },
    embryos: () => [],
  },
  {
    name: 'UDP likewise',
    steps: (s) => [intoBackend(s, udp), answered(s, udp), intoBackend(s, udp)],
    embryos: () => [],
  },
  {
    name: 'a process of the node itself answers as the frontend',
    steps: (s) => {
      const macs = { sourceMac: MAC.uplink, destinationMac: MAC.host }
      const wire = { sourceMac: MAC.uplink, destinationMac: MAC.peer }
      return [
        {
          ...handedOver(s, s.node, udp(CLIENT, ASKED_THERE)),
          action: 'REDIRECT',
          out: frame(macs, s.world, s.node, udp(CLIENT, PORT.target), { ttl: 63 }),
        },
        {
          ...{ program: 'to_uplink', on: IFINDEX.uplink, action: 'PASS' },
          frame: frame(wire, s.node, s.world, udp(PORT.target, CLIENT)),
          out: frame(wire, frontend(s), s.world, udp(ASKED_THERE, CLIENT)),
        },
      ]
    },
  },
  {
    name: 'an ICMP error that was handed over reaches the backend, as if it had been asked itself',
    steps: (s) => {
      const answer = frame(WAY.fromPeer, frontend(s), s.world, udp(ASKED_THERE, CLIENT))
      const plain = frame(WAY.fromPeer, s.podA, s.world, udp(PORT.target, CLIENT))
      return [
        intoBackend(s, udp),
        {
          ...handedOver(s, s.podA, complaint(s, answer, tooBig(1400))),
          action: 'REDIRECT',
          out: frame(WAY.intoA, s.world, s.podA, complaint(s, plain, tooBig(1400)), { ttl: 62 }),
        },
      ]
    },
  },
  {
    name: 'only nodes hand over',
    steps: (s) => [
      { ...handedOver(s, s.podA, udp(CLIENT, ASKED_THERE), { node: STRANGER }), action: 'SHOT' },
    ],
    embryos: () => [],
    drops: { UNKNOWN_TUNNEL_PEER: 1 },
  },
  {
    name: 'nobody hands over in the name of a pod',
    steps: (s) =>
      [s.podB, s.overlayPod, s.node].map((source) => ({
        ...handedOver(s, s.podA, udp(CLIENT, ASKED_THERE), { source }),
        action: 'SHOT',
      })),
    embryos: () => [],
    drops: { SPOOFED_SOURCE: 3 },
  },
  {
    name: 'a backend that is gone, or never was of this node, is refused in the frontend’s name',
    steps: (s) =>
      // Of an IPv6 address the name holds the end alone, which the other node's pod shares.
      [s.nobody, s.family === 4 ? s.overlayPod : s.nobody].flatMap((backend) =>
        [tcp(CLIENT, ASKED_THERE, 'S'), udp(CLIENT, ASKED_THERE)].map((body): Step => {
          const macs = { sourceMac: MAC.uplink, destinationMac: MAC.peer }
          const asked = frame(WAY.fromPeer, s.world, frontend(s), body, { ttl: 63 })
          const answer = refusal(s, asked, body)
          const out = frame(macs, frontend(s), s.world, answer, { dontFragment: true })
          return { ...handedOver(s, backend, body), action: 'REDIRECT', out }
        }),
      ),
    flows: () => [],
    embryos: () => [],
    drops: { NO_BACKEND: 4 },
  },
]

runFixtures(new World(), [...ASKED, ...ERRORS, ...ANSWERED], BOTH_HOOKS)
