// From a pod to a pod of the same node: the first packets, what an entry remembers, and how a stale
// one is decided again. When TCP counts as established is in handshake.test.ts.
import * as layout from '../../src/datapath/layout.gen.ts'
import {
  complained,
  delivered,
  handshake,
  PODS,
  pairAToB,
  sent,
  tuple,
  UNREACHABLE,
} from '../support/connection.ts'
import { type Fixture, runFixtures } from '../support/fixture.ts'
import { echo, frame, tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, MAC, MTU } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { SEEN_REPLY, FIN, RST } = layout.FlowFlags

const SAME_NODE: readonly Fixture[] = [
  {
    name: 'the first packet makes an embryo pair and enters the other pod',
    steps: (s) => [delivered(s, 'podA', 'podB', tcp(1000, 8080, 'S'))],
    embryos: (s) => pairAToB(s, 0),
    flows: () => [],
  },
  {
    name: 'a first packet sent again changes nothing',
    steps: (s) => [
      delivered(s, 'podA', 'podB', tcp(1000, 8080, 'S')),
      delivered(s, 'podA', 'podB', tcp(1000, 8080, 'S')),
    ],
    embryos: (s) => pairAToB(s, 0),
    flows: () => [],
  },
  {
    name: 'a handshake promotes the pair to the flow table',
    steps: handshake,
    flows: (s) => pairAToB(s),
    embryos: () => [],
  },
  {
    name: 'established packets are counted in their own direction',
    steps: (s) => [
      ...handshake(s),
      delivered(s, 'podA', 'podB', tcp(1000, 8080, 'PA')),
      delivered(s, 'podB', 'podA', tcp(8080, 1000, 'A')),
    ],
    flows: (s) => {
      const [forward, back] = pairAToB(s)
      return [
        { ...forward, packets: 3n },
        { ...back, packets: 2n },
      ]
    },
  },
  {
    name: 'UDP is promoted by its answer alike',
    steps: (s) => [
      delivered(s, 'podA', 'podB', udp(1000, 53)),
      delivered(s, 'podB', 'podA', udp(53, 1000)),
    ],
    flows: (s) => pairAToB(s, SEEN_REPLY, tuple(s.podA, 1000, s.podB, 53, 17)),
  },
  {
    name: 'UDP without checksum stays without',
    families: [4],
    steps: (s) => [
      delivered(s, 'podA', 'podB', {
        kind: 'udp',
        sourcePort: 1000,
        destinationPort: 53,
        noChecksum: true,
      }),
    ],
  },
  {
    name: 'an echo request and its reply are one flow, by their id',
    steps: (s) => [
      delivered(s, 'podA', 'podB', echo(s.family, 0x1234)),
      delivered(s, 'podB', 'podA', echo(s.family, 0x1234, { reply: true })),
    ],
    flows: (s) => {
      const protocol = s.family === 4 ? 1 : 58
      return pairAToB(s, SEEN_REPLY, tuple(s.podA, 0x1234, s.podB, 0, protocol))
    },
  },
  {
    name: 'a protocol without ports is a flow of its addresses',
    steps: (s) => [
      delivered(s, 'podA', 'podB', {
        kind: 'raw',
        protocol: 47,
        payload: Uint8Array.from({ length: 12 }),
      }),
    ],
    embryos: (s) => pairAToB(s, 0, tuple(s.podA, 0, s.podB, 0, 47)),
  },
]

const CLOSING: readonly Fixture[] = [
  {
    name: 'FIN is remembered for its direction',
    steps: (s) => [...handshake(s), delivered(s, 'podA', 'podB', tcp(1000, 8080, 'FA'))],
    flows: (s) => {
      const [forward, back] = pairAToB(s)
      return [{ ...forward, flags: SEEN_REPLY | FIN }, back]
    },
  },
  {
    name: 'a SYN after FIN begins a new connection of the same ports',
    steps: (s) => [
      ...handshake(s),
      delivered(s, 'podA', 'podB', tcp(1000, 8080, 'FA')),
      delivered(s, 'podB', 'podA', tcp(8080, 1000, 'FA')),
      delivered(s, 'podA', 'podB', tcp(1000, 8080, 'S')),
    ],
    flows: () => [],
    embryos: (s) => pairAToB(s, 0),
  },
  {
    name: 'a SYN after the other side reset begins a new connection too',
    steps: (s) => [
      ...handshake(s),
      delivered(s, 'podB', 'podA', tcp(8080, 1000, 'R')),
      delivered(s, 'podA', 'podB', tcp(1000, 8080, 'S')),
    ],
    flows: () => [],
    embryos: (s) => pairAToB(s, 0),
  },
  {
    name: 'RST is remembered and a SYN within a live connection is passed on in it',
    steps: (s) => [
      ...handshake(s),
      delivered(s, 'podA', 'podB', tcp(1000, 8080, 'S')),
      delivered(s, 'podA', 'podB', tcp(1000, 8080, 'R')),
    ],
    flows: (s) => {
      const [forward, back] = pairAToB(s)
      return [{ ...forward, flags: SEEN_REPLY | RST }, back]
    },
  },
]

const NEWER = {
  ifindex: IFINDEX.podB,
  id: 3,
  mac: MAC.peer,
  hostMac: MAC.podBHost,
  flags: 0,
  mtu: MTU.pod,
}

const STALE: readonly Fixture[] = [
  {
    name: 'an established flow of another epoch is decided again',
    steps: (s) => [
      ...handshake(s),
      {
        ...delivered(s, 'podA', 'podB', tcp(1000, 8080)),
        before: (world) => {
          const row = [{ address: s.podB }, NEWER] as const
          world.entries(layout.maps.endpoints).updateMany([row])
          world.epoch = 2
        },
        out: frame(
          { ...PODS.podB.into, destinationMac: MAC.peer },
          s.podA,
          s.podB,
          tcp(1000, 8080),
          {
            ttl: 63,
          },
        ),
      },
    ],
    flows: (s) => {
      const [forward, back] = pairAToB(s)
      return [{ ...forward, epoch: 2, destinationMac: MAC.peer }, back]
    },
  },
  {
    name: 'a stale flow whose other end is gone is dropped with the reason',
    steps: (s) => [
      ...handshake(s),
      {
        ...complained(s, 'podA', s.podB, tcp(1000, 8080), UNREACHABLE.address),
        before: (world) => {
          world.entries(layout.maps.endpoints).deleteMany([{ address: s.podB }])
          world.epoch = 2
        },
      },
    ],
    drops: { NO_ENDPOINT: 1 },
  },
  {
    name: 'a stale flow whose source is gone is dropped as spoofed',
    steps: (s) => [
      ...handshake(s),
      {
        ...sent(s, 'podA', s.podB, tcp(1000, 8080)),
        before: (world) => {
          world.entries(layout.maps.endpoints).deleteMany([{ address: s.podA }])
          world.epoch = 2
        },
        action: 'SHOT',
      },
    ],
    drops: { SPOOFED_SOURCE: 1 },
  },
]

const world = new World()
runFixtures(world, [...SAME_NODE, ...CLOSING, ...STALE])
