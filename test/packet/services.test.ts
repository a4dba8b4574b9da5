// ClusterIP per packet: translation to the backend and back, a pod to itself, backends on other
// nodes, and refusal at once when there is none.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import { parseAddress } from '../../src/net/address.ts'
import type { Body } from '../../src/net/packet.ts'
import {
  complained,
  intoPod,
  PODS,
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
import { frame, tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { assertFrame } from '../support/packet.ts'
import {
  createDevices,
  IFINDEX,
  PORT,
  SIDES,
  type Side,
  serviceId,
  serviceValue,
} from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()
const world = new World()

const { SEEN_REPLY, REVERSE, TRANSLATED, SERVICE, HAIRPIN } = layout.FlowFlags

/** Pod A to the Service, as it reaches the backend pod B. */
function toService(s: Side, body: (port: number) => Body): Step {
  return {
    ...sent(s, 'podA', s.service, body(PORT.local)),
    action: 'REDIRECT',
    out: frame(PODS.podB.into, s.podA, s.podB, body(PORT.target), ROUTED),
  }
}

/** Pod B's answer, as it reaches the client from the Service. */
function fromBackend(s: Side, body: (port: number) => Body): Step {
  return {
    ...sent(s, 'podB', s.podA, body(PORT.target)),
    action: 'REDIRECT',
    out: frame(PODS.podA.into, s.service, s.podA, body(PORT.local), ROUTED),
  }
}

function servicePair(s: Side, protocol: number, flags: number): ExpectedFlow[] {
  const key = tuple(s.podA, 1000, s.service, PORT.local, protocol)
  const out = tuple(s.podA, 1000, s.podB, PORT.target, protocol)
  const shared = { epoch: 1, serviceId: serviceId(s, PORT.local, protocol) }
  const all = flags | TRANSLATED | SERVICE
  return [
    { key, out, flags: all, ...shared, ...intoPod('podB', IFINDEX.podA) },
    {
      key: reverse(out),
      out: reverse(key),
      flags: all | REVERSE,
      ...shared,
      ...intoPod('podA', IFINDEX.podB),
    },
  ]
}

const CLUSTER_IP: readonly Fixture[] = [
  {
    name: 'TCP to a Service goes to its backend, and the answer comes from the Service',
    steps: (s) => [
      toService(s, (port) => tcp(1000, port, 'S')),
      fromBackend(s, (port) => tcp(port, 1000, 'SA')),
      toService(s, (port) => tcp(1000, port, 'PA')),
      fromBackend(s, (port) => tcp(port, 1000, 'A')),
    ],
    flows: (s) => servicePair(s, 6, SEEN_REPLY),
    embryos: () => [],
  },
  {
    name: 'UDP to a Service goes to its backend, and the answer comes from the Service',
    steps: (s) => [
      toService(s, (port) => udp(1000, port)),
      fromBackend(s, (port) => udp(port, 1000)),
    ],
    flows: (s) => servicePair(s, 17, SEEN_REPLY),
  },
  {
    name: 'UDP without checksum is translated and stays without',
    families: [4],
    steps: (s) => [toService(s, (port) => ({ ...udp(1000, port), noChecksum: true }) as Body)],
    embryos: (s) => servicePair(s, 17, 0),
  },
  {
    name: 'a backend that is gone keeps its TCP connection until the endpoint is gone too',
    steps: (s) => [
      toService(s, (port) => tcp(1000, port, 'S')),
      fromBackend(s, (port) => tcp(port, 1000, 'SA')),
      {
        ...toService(s, (port) => tcp(1000, port)),
        before: (it) => {
          it.entries(layout.maps.backends).deleteMany([
            { setId: serviceId(s, PORT.local, 6), slot: 0 },
          ])
          it.epoch = 2
        },
      },
    ],
  },
  {
    name: 'another port of the Service address is no Service and goes to the world',
    steps: (s) => [{ ...sent(s, 'podA', s.service, tcp(1000, 4444, 'S')), action: 'PASS' }],
  },
]

/** Reads the TCP or UDP source port, at the place where it is without options. */
function sourcePortOf(s: Side, bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint16(s.family === 4 ? 34 : 54)
}

test('two ways to one backend from one port are kept apart by another source port', () => {
  for (const s of SIDES) {
    world.reset()
    const step = toService(s, (port) => tcp(1000, port, 'S'))
    assert.equal(world.run(step.program, step.frame, step.on).action, 'REDIRECT')
    const direct = sent(s, 'podA', s.podB, tcp(1000, PORT.target, 'S'))
    const { frame: out } = world.run(direct.program, direct.frame, direct.on)
    const port = sourcePortOf(s, out)
    assert.ok(port >= 32768, `port ${port}`)
    const seen = tcp(port, PORT.target, 'S')
    assertFrame(out, frame(PODS.podB.into, s.podA, s.podB, seen, ROUTED))
    for (const [to, from, source, sourcePort] of [
      [1000, PORT.target, s.service, PORT.local],
      [port, PORT.target, s.podB, PORT.target],
    ] as const) {
      const answer = sent(s, 'podB', s.podA, tcp(from, to, 'SA'))
      const { frame: got } = world.run(answer.program, answer.frame, answer.on)
      const expected = tcp(sourcePort, 1000, 'SA')
      assertFrame(got, frame(PODS.podA.into, source, s.podA, expected, ROUTED))
    }
  }
})

/** What the pod's own answer to itself looks like in between: its client is the gateway. */
const HAIRPINNED: readonly Fixture[] = [
  {
    name: 'a pod reaches itself through its Service, as the gateway',
    steps: (s) => [
      {
        ...sent(s, 'podA', s.service, tcp(1000, PORT.hairpin, 'S')),
        action: 'REDIRECT',
        out: frame(PODS.podA.into, s.gateway, s.podA, tcp(1000, PORT.target, 'S'), ROUTED),
      },
      {
        ...sent(s, 'podA', s.gateway, tcp(PORT.target, 1000, 'SA')),
        action: 'REDIRECT',
        out: frame(PODS.podA.into, s.service, s.podA, tcp(PORT.hairpin, 1000, 'SA'), ROUTED),
      },
      {
        ...sent(s, 'podA', s.service, tcp(1000, PORT.hairpin)),
        action: 'REDIRECT',
        out: frame(PODS.podA.into, s.gateway, s.podA, tcp(1000, PORT.target), ROUTED),
      },
    ],
    flows: (s) => {
      const key = tuple(s.podA, 1000, s.service, PORT.hairpin)
      const out = tuple(s.gateway, 1000, s.podA, PORT.target)
      const flags = SEEN_REPLY | TRANSLATED | SERVICE | HAIRPIN
      const way = intoPod('podA', IFINDEX.podA)
      return [
        { key, out, flags, ...way },
        { key: reverse(out), out: reverse(key), flags: flags | REVERSE, ...way },
      ]
    },
  },
]

/** A SYN answered in the Service's name (RFC 9293 3.10.7.1): RST, acknowledging the SYN. */
const RESET: Body = {
  kind: 'tcp',
  sourcePort: PORT.none,
  destinationPort: 1000,
  flags: 'RA',
  seq: 0,
  ack: 8,
  window: 0,
}

const NO_BACKEND: readonly Fixture[] = [
  {
    name: 'TCP to a Service without backends is reset at once',
    steps: (s) => [
      {
        ...sent(s, 'podA', s.service, tcp(1000, PORT.none, 'S')),
        action: 'REDIRECT',
        out: frame(PODS.podA.into, s.service, s.podA, RESET, { dontFragment: true }),
      },
    ],
    flows: () => [],
    embryos: () => [],
    drops: { NO_BACKEND: 1 },
  },
  {
    name: 'UDP to a Service without backends is answered with port unreachable',
    steps: (s) => [complained(s, 'podA', s.service, udp(1000, PORT.none), UNREACHABLE.port)],
    flows: () => [],
    embryos: () => [],
    drops: { NO_BACKEND: 1 },
  },
]

runFixtures(world, [...CLUSTER_IP, ...HAIRPINNED, ...NO_BACKEND])

test('new connections spread over all backends of a Service', () => {
  for (const s of SIDES) {
    const key = { address: s.service, port: PORT.local, protocol: 6 }
    const backends = Array.from({ length: 4 }, (_, slot) => {
      const address = parseAddress(s.podA.replace(/5$/, String(6 + slot)))
      return [
        { setId: 9, slot },
        { address, port: PORT.target, hits: 0n },
      ] as const
    })
    const endpoint = { ...PODS.podB, id: 2, mtu: 1450, flags: 0 }
    const rows = backends.map(([, { address }]) => [{ address }, endpoint] as const)
    world.reset()
    world.entries(layout.maps.endpoints).updateMany(rows)
    world.entries(layout.maps.backends).updateMany(backends)
    world.entries(layout.maps.services).updateMany([[key, serviceValue(9, 4)]])
    for (let port = 1000; port < 1200; port++) {
      const {
        program,
        on,
        frame: sentFrame,
      } = sent(s, 'podA', s.service, tcp(port, PORT.local, 'S'))
      assert.equal(world.run(program, sentFrame, on).action, 'REDIRECT')
    }
    const chosen = new Map<string, number>()
    for (const [tupleKey, flow] of world.entries(layout.maps.embryos).entries()) {
      if (tupleKey.destination !== s.service) continue
      chosen.set(flow.out.destination, (chosen.get(flow.out.destination) ?? 0) + 1)
    }
    assert.equal(chosen.size, 4)
    // 50 each; below 20 is a chance of one in 10^7 with a fair choice.
    for (const [, count] of chosen) assert.ok(count > 20, [...chosen].join(' '))
  }
})
