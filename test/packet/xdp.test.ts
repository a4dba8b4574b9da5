// What is XDP's alone, beside the cells of Services that it shares with tc: which packets it sends
// on by itself, and which it leaves to from_uplink as they came.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import type { Body, Packet } from '../../src/net/packet.ts'
import { ROUTED, tuple } from '../support/connection.ts'
import { type Fixture, reverse, runFixtures, type Step } from '../support/fixture.ts'
import { echo, frame, tcp, udp, WAY } from '../support/frames.ts'
import { onWire } from '../support/hook.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, MTU, SIDES, type Side } from '../support/topology.ts'
import { OVERLAY_MTU } from '../support/tunnel.ts'
import { World } from '../support/world.ts'
import { flowOf, stackPort, unfinished, withFlows } from '../support/xdp.ts'

enterOwnNetns()
createDevices()

const { TRANSLATED, REVERSE, ON_LINK, FROM_OVERLAY } = layout.FlowFlags
const { NEIGHBOUR, FIB, OVERLAY, ENDPOINT, HOST } = layout.FlowNext
const NODE_PORT = 30080
const OWN_PORT = 20001
const TARGET = 8080

/** The outside client's packet for the node port. */
function asked(s: Side, body: Body, more: Partial<Packet> = {}): Uint8Array {
  return frame(WAY.fromPeer, s.world, s.node, body, more)
}

function step(bytes: Uint8Array, action: Step['action'], out?: Step['out']): Step {
  const base = { program: 'xdp_uplink', on: IFINDEX.uplink, frame: bytes, action }
  return out ? { ...base, out } : base
}

/** Both halves of a node port's connection to a backend of another node, source translated. */
function pair(s: Side, to: Address, away: Partial<layout.Flow>, protocol = 6) {
  const key = tuple(s.world, 1000, s.node, NODE_PORT, protocol)
  const out = tuple(s.node, OWN_PORT, to, TARGET, protocol)
  const back = away.next === OVERLAY ? FROM_OVERLAY : 0
  const from = away.next === OVERLAY ? IFINDEX.overlay : 0
  const { node = s.node } = away
  return [
    flowOf(key, { out, ...away, flags: TRANSLATED | (away.flags ?? 0) }),
    flowOf(reverse(out), {
      ...{ out: reverse(key), next: FIB, fromIfindex: from, node },
      flags: TRANSLATED | REVERSE | back,
    }),
  ]
}

const toNeighbour = (s: Side) => ({ next: NEIGHBOUR, flags: ON_LINK, node: s.neighbourNode })
const toOverlay = (s: Side) => ({ next: OVERLAY, node: s.overlayNode, mtu: OVERLAY_MTU })

const BODIES = [
  { protocol: 6, body: tcp },
  { protocol: 17, body: udp },
] as const

const SENT: readonly Fixture[] = [
  {
    name: 'UDP without a checksum stays without',
    families: [4],
    steps: (s) => {
      const silent = (from: number, to: number): Body => ({
        kind: 'udp',
        sourcePort: from,
        destinationPort: to,
        noChecksum: true,
      })
      return [
        withFlows(pair(s, s.neighbourPod, toNeighbour(s), 17), {
          ...step(asked(s, silent(1000, NODE_PORT)), 'TX'),
          out: frame(onWire, s.node, s.neighbourPod, silent(OWN_PORT, TARGET), ROUTED),
        }),
      ]
    },
  },
  {
    name: 'an untranslated flow is only sent on',
    steps: (s) => {
      const key = tuple(s.world, 1000, s.neighbourPod, 80)
      return [
        withFlows([flowOf(key, { ...toNeighbour(s), out: key })], {
          ...step(frame(WAY.fromPeer, s.world, s.neighbourPod, tcp(1000, 80)), 'TX'),
          out: frame(onWire, s.world, s.neighbourPod, tcp(1000, 80), ROUTED),
        }),
      ]
    },
  },
]

/** Left to tc just as they came, with the flows of a node port in place. */
const LEFT: readonly Fixture[] = [
  {
    name: 'the last hop, what does not fit, options, fragments and ICMP are left to tc',
    steps: (s) => {
      const large = new Uint8Array(MTU.uplink)
      const fragment: Body = {
        kind: 'fragment',
        protocol: 17,
        offset: 0,
        more: true,
        payload: new Uint8Array(64),
      }
      const frames = [
        asked(s, tcp(1000, NODE_PORT), { ttl: 1 }),
        asked(s, tcp(1000, NODE_PORT, 'A', large)),
        asked(s, fragment, { id: 7 }),
        asked(s, echo(s.family, 1)),
        ...(s.family === 4
          ? [asked(s, tcp(1000, NODE_PORT), { options: new Uint8Array([1, 1, 1, 1]) })]
          : []),
      ]
      const [first, ...rest] = frames.map((bytes) => step(bytes, 'PASS'))
      return [withFlows(pair(s, s.neighbourPod, toNeighbour(s)), first as Step), ...rest]
    },
  },
  {
    name: 'flows into pods and the node, stale flows and unknown packets are left to tc',
    steps: (s) => {
      const local = (next: number) =>
        flowOf(tuple(s.world, 1000, s.podA, next), { next, toIfindex: IFINDEX.podA })
      const [stale] = pair(s, s.neighbourPod, { ...toNeighbour(s), epoch: 7 })
      const flows = [local(ENDPOINT), local(HOST), ...(stale ? [stale] : [])]
      return [
        withFlows(flows, step(asked(s, tcp(1000, NODE_PORT)), 'PASS')),
        ...[ENDPOINT, HOST].map((port) =>
          step(frame(WAY.fromPeer, s.world, s.podA, tcp(1000, port)), 'PASS'),
        ),
        step(frame(WAY.fromPeer, s.world, s.podB, tcp(1, 2)), 'PASS'),
        step(frame(WAY.fromPeer, s.world, s.node, tcp(1, 22)), 'PASS'),
      ]
    },
  },
  {
    name: 'a next hop whose MAC is not known is left to tc, which asks for it',
    steps: (s) => {
      const node = s.neighbourNode.replace(/3$/, '77') as Address
      const flows = pair(s, s.neighbourPod, { ...toNeighbour(s), node })
      return [withFlows(flows, step(asked(s, tcp(1000, NODE_PORT)), 'PASS'))]
    },
  },
]

const world = new World()
runFixtures(world, [...SENT, ...LEFT])

test('a checksum that hardware was to complete is left to tc', () => {
  for (const s of SIDES) {
    for (const { protocol, body } of BODIES) {
      world.reset()
      const bytes = unfinished(asked(s, body(1000, NODE_PORT)))
      withFlows(pair(s, s.overlayPod, toOverlay(s), protocol), step(bytes, 'PASS')).before?.(world)
      const { action, frame: left } = world.run('xdp_uplink', bytes, IFINDEX.uplink)
      assert.deepEqual([action, left], ['PASS', bytes])
    }
  }
})

test('a quiet flow goes by the stack once in a while, so that its neighbour is used', () => {
  for (const s of SIDES) {
    world.reset()
    const port = stackPort()
    const key = tuple(s.world, port, s.node, NODE_PORT)
    const flow = flowOf(key, { ...toNeighbour(s), lastSeen: 1 })
    world.entries(layout.maps.flows).updateMany([flow])
    const ask = () => world.run('xdp_uplink', asked(s, tcp(port, NODE_PORT)), IFINDEX.uplink).action
    assert.equal(ask(), 'PASS')
    world.entries(layout.maps.flows).updateMany([flowOf(key, toNeighbour(s))])
    assert.equal(ask(), 'TX')
  }
})

test('what XDP sends on is counted under its own direction, and in the flow', () => {
  for (const s of SIDES) {
    world.reset()
    const bytes = asked(s, tcp(1000, NODE_PORT))
    const [flow] = pair(s, s.neighbourPod, toNeighbour(s))
    if (!flow) throw new Error('no flow')
    withFlows([flow], step(bytes, 'TX')).before?.(world)
    assert.equal(world.run('xdp_uplink', bytes, IFINDEX.uplink).action, 'TX')
    const slot = layout.MetricSlot.FORWARDED + NEIGHBOUR
    const counter = { direction: layout.Direction.XDP_UPLINK, slot, packets: 1 }
    assert.deepEqual(world.counters(), [{ ...counter, bytes: bytes.length }])
    const [[, { packets, bytes: sum }] = [undefined, {} as layout.Flow]] = [
      ...world.entries(layout.maps.flows).entries(),
    ]
    assert.deepEqual([packets, sum], [1n, BigInt(bytes.length)])
  }
})
