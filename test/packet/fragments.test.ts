// Fragments follow the first one, which alone carries ports; extension headers and IPv4 options
// are no hindrance.
import { pattern } from '../../src/net/bytes.ts'
import { fragments, type Packet } from '../../src/net/packet.ts'
import { delivered, PODS, ROUTED, sent, tuple } from '../support/connection.ts'
import { type Fixture, reverse, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, PORT, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const PART = 80

/** The parts of pod A's datagram, each with what pod B gets. */
function parts(s: Side, to: Packet['destination'], ports: [number, number], id = 99): Step[] {
  const body = udp(1000, ports[0], pattern(200))
  const seen = udp(1000, ports[1], pattern(200))
  const packet = { ...PODS.podA.out, source: s.podA, id }
  const into = { ...PODS.podB.into, source: s.podA, destination: s.podB, id, ...ROUTED }
  const out = fragments({ ...into, body: seen }, PART)
  return fragments({ ...packet, destination: to, body }, PART).map((bytes, index) => ({
    program: 'from_pod',
    on: IFINDEX.podA,
    frame: bytes,
    action: 'REDIRECT',
    out: out[index] as Uint8Array,
  }))
}

const FRAGMENTS: readonly Fixture[] = [
  {
    name: 'all fragments of a datagram reach the other pod and are one flow',
    steps: (s) => parts(s, s.podB, [53, 53]),
    embryos: (s) => {
      const key = tuple(s.podA, 1000, s.podB, 53, 17)
      return [
        { key, out: key, packets: 3n },
        { key: reverse(key), out: reverse(key) },
      ]
    },
  },
  {
    name: 'fragments to a Service are all translated',
    steps: (s) => parts(s, s.service, [PORT.local, PORT.target]),
  },
  {
    name: 'two datagrams with fragments in turn are told apart by their ids',
    steps: (s) => {
      const first = parts(s, s.podB, [53, 53], 1)
      const second = parts(s, s.service, [PORT.local, PORT.target], 2)
      return first.flatMap((step, index) => [step, second[index] as Step])
    },
  },
  {
    name: 'a fragment whose first part was not seen is dropped with the reason',
    steps: (s) =>
      parts(s, s.podB, [53, 53])
        .slice(1)
        .map((step) => ({ ...step, action: 'SHOT' })),
    embryos: () => [],
    drops: { FRAGMENT_UNKNOWN: 2 },
  },
]

const HEADERS: readonly Fixture[] = [
  {
    name: 'IPv4 options are passed over',
    families: [4],
    steps: (s) => {
      const options = Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 0)
      const body = tcp(1000, PORT.local, 'S')
      const seen = tcp(1000, PORT.target, 'S')
      return [
        {
          ...sent(s, 'podA', s.service, body, { options }),
          action: 'REDIRECT',
          out: frame(PODS.podB.into, s.podA, s.podB, seen, { options, ...ROUTED }),
        },
      ]
    },
  },
  {
    name: 'IPv6 extension headers are passed over',
    families: [6],
    steps: (s) => {
      const extensions = [
        { type: 0, bytes: Uint8Array.of(0, 0, 1, 4, 0, 0, 0, 0) },
        { type: 60, bytes: Uint8Array.of(0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
        { type: 43, bytes: Uint8Array.of(0, 0, 4, 0, 0, 0, 0, 0) },
      ]
      const body = tcp(1000, PORT.local, 'S')
      const seen = tcp(1000, PORT.target, 'S')
      return [
        {
          ...sent(s, 'podA', s.service, body, { extensions }),
          action: 'REDIRECT',
          out: frame(PODS.podB.into, s.podA, s.podB, seen, { extensions, ...ROUTED }),
        },
      ]
    },
  },
  {
    name: 'an unfragmented packet with a fragment header is no fragment',
    families: [6],
    steps: (s) => {
      const extensions = [{ type: 44, bytes: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 7) }]
      const out = frame(PODS.podB.into, s.podA, s.podB, udp(1, 2), { extensions, ...ROUTED })
      return [{ ...sent(s, 'podA', s.podB, udp(1, 2), { extensions }), action: 'REDIRECT', out }]
    },
  },
  {
    name: 'other protocols of a pod pass: SCTP by its ports',
    steps: (s) => {
      const payload = Uint8Array.from([3, 232, 31, 144, 0, 0, 0, 0, 0, 0, 0, 0])
      return [delivered(s, 'podA', 'podB', { kind: 'raw', protocol: 132, payload })]
    },
    embryos: (s) => {
      const key = tuple(s.podA, 1000, s.podB, 8080, 132)
      return [
        { key, out: key },
        { key: reverse(key), out: reverse(key) },
      ]
    },
  },
  {
    name: 'frames that are neither IP nor ARP are refused',
    families: [4],
    steps: (s) => {
      const packet = sent(s, 'podA', s.podB, udp(1, 2))
      const strange = packet.frame.slice()
      strange.set([0x88, 0xcc], 12)
      return [{ ...packet, frame: strange, action: 'SHOT' }]
    },
    drops: { UNSUPPORTED: 1 },
  },
]

runFixtures(new World(), [...FRAGMENTS, ...HEADERS])
