// ICMP errors travel along the connection they are about: delivered to its end, and translated, so
// that each side reads of the tuple that it knows.
import { type Address, parseAddress } from '../../src/net/address.ts'
import type { Body } from '../../src/net/packet.ts'
import { delivered, handshake, PODS, ROUTED, sent } from '../support/connection.ts'
import { type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, tunnelled, udp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, PORT, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

interface Kind {
  readonly name: string
  readonly v4: readonly [number, number, number]
  readonly v6: readonly [number, number, number]
}

/** Type, code and second word. */
const PORT_UNREACHABLE: Kind = { name: 'port unreachable', v4: [3, 3, 0], v6: [1, 4, 0] }
const TOO_BIG: Kind = { name: 'fragmentation needed', v4: [3, 4, 1400], v6: [2, 0, 1400] }
const TIME_EXCEEDED: Kind = { name: 'time exceeded', v4: [11, 0, 0], v6: [3, 0, 0] }

const router = (s: Side): Address => parseAddress(s.family === 4 ? '192.168.50.254' : 'fd50::254')

interface Quote {
  readonly source: Address
  readonly destination: Address
  readonly body: Body
  readonly ttl: number
}

/** An error that quotes at most `bytes` of the packet it is about. */
function about(s: Side, { v4, v6 }: Kind, quote: Quote, bytes = 1000): Body {
  const [type, code, rest] = s.family === 4 ? v4 : v6
  const { source, destination, body, ttl } = quote
  const payload = frame(WAY.outOfA, source, destination, body, { ttl }).slice(14, 14 + bytes)
  return { kind: 'icmp', type, code, rest, payload }
}

/** Pod A to the Service, whose backend is pod B: what B got, and what A had sent. */
function dnat(s: Side, make: (port: number) => Body): { inside: Quote; outside: Quote } {
  const from = { source: s.podA, ttl: 63 }
  return {
    inside: { ...from, destination: s.podB, body: make(PORT.target) },
    outside: { ...from, destination: s.service, body: make(PORT.local) },
  }
}

function toService(s: Side, make: (port: number) => Body): Step {
  return {
    ...sent(s, 'podA', s.service, make(PORT.local)),
    action: 'REDIRECT',
    out: frame(PODS.podB.into, s.podA, s.podB, make(PORT.target), ROUTED),
  }
}

const udpTo = (port: number): Body => udp(1000, port)
const tcpTo = (port: number): Body => tcp(1000, port, 'S')

/** The backend's error about a packet of `make`, as the client must read it. */
function backendComplains(s: Side, kind: Kind, make: (port: number) => Body, bytes?: number): Step {
  const { inside, outside } = dnat(s, make)
  return {
    ...sent(s, 'podB', s.podA, about(s, kind, inside, bytes)),
    action: 'REDIRECT',
    out: frame(PODS.podA.into, s.service, s.podA, about(s, kind, outside, bytes), ROUTED),
  }
}

const TRANSLATED: readonly Fixture[] = [
  ...[PORT_UNREACHABLE, TIME_EXCEEDED].map((kind) => ({
    name: `${kind.name} from a backend comes from the Service and quotes it`,
    steps: (s: Side) => [toService(s, udpTo), backendComplains(s, kind, udpTo)],
  })),
  {
    name: 'a TCP segment is quoted whole with its right checksum',
    steps: (s) => [toService(s, tcpTo), backendComplains(s, PORT_UNREACHABLE, tcpTo)],
  },
  {
    name: 'a quote of only eight bytes of TCP is translated as far as it goes',
    steps: (s) => [
      toService(s, tcpTo),
      backendComplains(s, PORT_UNREACHABLE, tcpTo, s.family === 4 ? 28 : 48),
    ],
  },
  {
    name: 'UDP without checksum is quoted without',
    families: [4],
    steps: (s) => {
      const make = (port: number): Body => ({ ...udp(1000, port), noChecksum: true }) as Body
      return [toService(s, make), backendComplains(s, PORT_UNREACHABLE, make)]
    },
  },
  {
    name: 'the client’s own error about an answer reaches the backend as of its own packet',
    steps: (s) => {
      const answer = { ttl: 63, destination: s.podA }
      const seen: Quote = { ...answer, source: s.service, body: udp(PORT.local, 1000) }
      const real: Quote = { ...answer, source: s.podB, body: udp(PORT.target, 1000) }
      return [
        toService(s, udpTo),
        {
          ...sent(s, 'podB', s.podA, udp(PORT.target, 1000)),
          action: 'REDIRECT',
          out: frame(PODS.podA.into, s.service, s.podA, udp(PORT.local, 1000), ROUTED),
        },
        {
          ...sent(s, 'podA', s.service, about(s, PORT_UNREACHABLE, seen)),
          action: 'REDIRECT',
          out: frame(PODS.podB.into, s.podA, s.podB, about(s, PORT_UNREACHABLE, real), ROUTED),
        },
      ]
    },
  },
]

/** A router's error about pod A's packet to a Service whose backend is a pod of the neighbour. */
function routerComplains(s: Side, kind: Kind): Step[] {
  const quote = { source: s.podA, ttl: 62 }
  const inside = { ...quote, destination: s.neighbourPod, body: tcp(1000, PORT.target, 'S') }
  const outside = { ...quote, destination: s.service, body: tcp(1000, PORT.neighbour, 'S') }
  return [
    {
      ...sent(s, 'podA', s.service, tcp(1000, PORT.neighbour, 'S')),
      action: 'REDIRECT',
      out: frame(WAY.outOfA, s.podA, s.neighbourPod, tcp(1000, PORT.target, 'S'), ROUTED),
    },
    {
      program: 'from_uplink',
      on: IFINDEX.uplink,
      frame: frame(WAY.fromPeer, router(s), s.podA, about(s, kind, inside)),
      action: 'REDIRECT',
      out: frame(PODS.podA.into, router(s), s.podA, about(s, kind, outside), ROUTED),
    },
  ]
}

const ROUTERS: readonly Fixture[] = [TOO_BIG, TIME_EXCEEDED, PORT_UNREACHABLE].map((kind) => ({
  name: `${kind.name} from a router keeps the router’s address and quotes the Service`,
  steps: (s) => routerComplains(s, kind),
}))

const PLAIN: readonly Fixture[] = [
  {
    name: 'an error about an untranslated connection passes as it is',
    steps: (s) => {
      const quote = { source: s.podA, destination: s.podB, ttl: 63, body: tcp(1000, 8080) }
      return [...handshake(s), delivered(s, 'podB', 'podA', about(s, PORT_UNREACHABLE, quote))]
    },
  },
  {
    name: 'an error through the tunnel reaches the pod',
    steps: (s) => {
      const body = udp(1000, 8080)
      const quote = { source: s.podA, destination: s.overlayPod, ttl: 62, body }
      const error = about(s, PORT_UNREACHABLE, quote)
      const inner = frame(WAY.fromPeer, s.overlayPod, s.podA, error)
      const outer = { source: s.overlayNode, destination: parseAddress('192.168.50.1') }
      return [
        { ...sent(s, 'podA', s.overlayPod, body), action: 'REDIRECT', out: (actual) => actual },
        {
          program: 'from_uplink',
          on: IFINDEX.uplink,
          frame: tunnelled(inner, outer),
          action: 'REDIRECT',
          out: frame(PODS.podA.into, s.overlayPod, s.podA, error, ROUTED),
        },
      ]
    },
  },
  {
    name: 'the stack’s own error reaches the pod',
    steps: (s) => {
      const body = udp(1000, 99)
      const quote = { source: s.podA, destination: s.node, ttl: 64, body }
      const error = frame(PODS.podA.into, s.node, s.podA, about(s, PORT_UNREACHABLE, quote))
      return [
        { ...sent(s, 'podA', s.node, body), action: 'PASS' },
        { program: 'to_pod', on: IFINDEX.podA, frame: error, action: 'PASS' },
      ]
    },
  },
]

function complainsOf(s: Side, quote: Quote, source = s.podA): Step {
  const error = frame(PODS.podA.out, source, quote.source, about(s, PORT_UNREACHABLE, quote))
  return { program: 'from_pod', on: IFINDEX.podA, frame: error, action: 'SHOT' }
}

const REFUSED: readonly Fixture[] = [
  {
    name: 'a pod’s error about a connection that does not exist is dropped',
    steps: (s) => [
      complainsOf(s, { source: s.podB, destination: s.podA, ttl: 64, body: tcp(1000, 8080) }),
    ],
    drops: { INVALID_ICMP: 1 },
  },
  {
    name: 'a pod’s error about a connection of others is dropped',
    steps: (s) => [
      {
        ...sent(s, 'podB', s.overlayPod, udp(1, 2)),
        action: 'REDIRECT',
        out: (actual) => actual,
      },
      complainsOf(s, { source: s.podB, destination: s.overlayPod, ttl: 64, body: udp(1, 2) }),
    ],
    drops: { INVALID_ICMP: 1 },
  },
  {
    name: 'a pod’s error in another’s name is dropped',
    steps: (s) => [
      ...handshake(s),
      complainsOf(
        s,
        { source: s.podB, destination: s.podA, ttl: 64, body: tcp(8080, 1000) },
        s.world,
      ),
    ],
    drops: { INVALID_ICMP: 1 },
  },
]

runFixtures(new World(), [...TRANSLATED, ...ROUTERS, ...PLAIN, ...REFUSED])
