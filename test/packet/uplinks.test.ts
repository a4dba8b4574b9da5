// A node with two uplinks: who asks by one is answered by it, who leaves by one has the node's
// address there, and XDP is on both.
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import type { Body } from '../../src/net/packet.ts'
import { ROUTED, sent, tuple } from '../support/connection.ts'
import { BOTH_HOOKS, type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame, udp, WAY } from '../support/frames.ts'
import { FRONT_PORT, ID, OWN_PORT } from '../support/node-port.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import {
  createDevices,
  IFINDEX,
  MAC,
  type MapRows,
  MTU,
  PORT,
  type Side,
  serviceValue,
  uplinkRow,
} from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { FIB, NEIGHBOUR } = layout.FlowNext
type Uplink = 'uplink' | 'uplink2'
const BY: Readonly<
  Record<Uplink, { sourceMac: typeof MAC.peer; destinationMac: typeof MAC.peer }>
> = {
  uplink: WAY.fromPeer,
  uplink2: { sourceMac: MAC.peer, destinationMac: MAC.uplink2 },
}

/** A NodePort on both of the node's addresses. */
function rows(s: Side, backend: keyof Side): Partial<MapRows> {
  const fronts = [s.node, s.node2].map((address) => ({ address, port: FRONT_PORT, protocol: 17 }))
  return {
    uplinks: [uplinkRow('uplink'), uplinkRow('uplink2')],
    services: fronts.map((front) => [front, serviceValue(ID, 1)] as const),
    backends: [
      [
        { setId: ID, slot: 0 },
        { address: s[backend] as Address, port: PORT.target, hits: 0n },
      ],
    ],
  }
}

/** A packet that comes by an uplink, and what goes on; tc leaves its MACs to the kernel. */
function passes(
  by: Uplink,
  [from, to, body]: readonly [Address, Address, Body],
  [source, destination, seen]: readonly [Address, Address, Body],
): Step {
  return {
    ...{ program: 'from_uplink', on: IFINDEX[by], action: 'REDIRECT' },
    frame: frame(BY[by], from, to, body),
    out: frame(BY[by], source, destination, seen, ROUTED),
  }
}

const asked = udp(1000, FRONT_PORT)
const given = udp(OWN_PORT, PORT.target)
const answer = udp(PORT.target, OWN_PORT)
const answered = udp(FRONT_PORT, 1000)

const tupleOf = (source: Address, sourcePort: number, destination: Address, port: number) =>
  tuple(source, sourcePort, destination, port, 17)

const UPLINKS: readonly Fixture[] = [
  {
    name: 'who asks a pod’s frontend by the second uplink is answered by it, with its MTU',
    rows: (s) => rows(s, 'podB'),
    steps: (s) => [
      {
        ...{ program: 'from_uplink', on: IFINDEX.uplink2, action: 'REDIRECT' },
        frame: frame(BY.uplink2, s.far, s.node2, asked),
        out: frame(WAY.intoB, s.far, s.podB, udp(1000, PORT.target), ROUTED),
      },
      {
        ...sent(s, 'podB', s.far, udp(PORT.target, 1000)),
        action: 'REDIRECT',
        out: frame(WAY.outOfB, s.node2, s.far, answered, ROUTED),
      },
    ],
    flows: (s) => [
      {
        key: tupleOf(s.far, 1000, s.node2, FRONT_PORT),
        out: tupleOf(s.far, 1000, s.podB, PORT.target),
      },
      {
        key: tupleOf(s.podB, PORT.target, s.far, 1000),
        out: tupleOf(s.node2, FRONT_PORT, s.far, 1000),
        ...{ next: FIB, toIfindex: IFINDEX.uplink2, mtu: MTU.uplink2 },
      },
    ],
  },
  {
    name: 'his backend on another node is reached by the first, with the node’s address there',
    rows: (s) => rows(s, 'neighbourPod'),
    steps: (s) => [
      passes('uplink2', [s.far, s.node2, asked], [s.node, s.neighbourPod, given]),
      passes('uplink', [s.neighbourPod, s.node, answer], [s.node2, s.far, answered]),
    ],
    flows: (s) => [
      {
        key: tupleOf(s.far, 1000, s.node2, FRONT_PORT),
        out: tupleOf(s.node, OWN_PORT, s.neighbourPod, PORT.target),
        ...{ next: NEIGHBOUR, toIfindex: IFINDEX.uplink, mtu: MTU.uplink },
      },
      {
        key: tupleOf(s.neighbourPod, PORT.target, s.node, OWN_PORT),
        out: tupleOf(s.node2, FRONT_PORT, s.far, 1000),
        ...{ next: FIB, toIfindex: IFINDEX.uplink2, mtu: MTU.uplink2 },
      },
    ],
  },
  {
    name: 'a backend that is there is reached by the second, with the node’s address there',
    rows: (s) => rows(s, 'far'),
    steps: (s) => [
      passes('uplink', [s.world, s.node, asked], [s.node2, s.far, given]),
      passes('uplink2', [s.far, s.node2, answer], [s.node, s.world, answered]),
    ],
    flows: (s) => [
      {
        key: tupleOf(s.world, 1000, s.node, FRONT_PORT),
        out: tupleOf(s.node2, OWN_PORT, s.far, PORT.target),
        ...{ next: FIB, toIfindex: IFINDEX.uplink2, mtu: MTU.uplink2 },
      },
      {
        key: tupleOf(s.far, PORT.target, s.node2, OWN_PORT),
        out: tupleOf(s.node, FRONT_PORT, s.world, 1000),
        ...{ next: FIB, toIfindex: IFINDEX.uplink, mtu: MTU.uplink },
      },
    ],
  },
  {
    name: 'what comes by the second uplink only to leave by it is XDP’s there too',
    rows: (s) => rows(s, 'far'),
    steps: (s) => [
      {
        ...passes('uplink2', [s.far, s.node2, asked], [s.node2, s.far, given]),
        sentByXdp: true,
      },
      {
        ...passes('uplink2', [s.far, s.node2, answer], [s.node2, s.far, answered]),
        sentByXdp: true,
      },
    ],
  },
  {
    name: 'a neighbour of the first uplink that asks by the second is answered there by the routes',
    rows: (s) => rows(s, 'podB'),
    steps: (s) => [
      {
        ...{ program: 'from_uplink', on: IFINDEX.uplink2, action: 'REDIRECT' },
        frame: frame(BY.uplink2, s.neighbourNode, s.node2, asked),
        out: frame(WAY.intoB, s.neighbourNode, s.podB, udp(1000, PORT.target), ROUTED),
      },
    ],
    embryos: (s) => [
      {
        key: tupleOf(s.neighbourNode, 1000, s.node2, FRONT_PORT),
        out: tupleOf(s.neighbourNode, 1000, s.podB, PORT.target),
      },
      {
        key: tupleOf(s.podB, PORT.target, s.neighbourNode, 1000),
        out: tupleOf(s.node2, FRONT_PORT, s.neighbourNode, 1000),
        ...{ next: FIB, toIfindex: IFINDEX.uplink2 },
      },
    ],
  },
  {
    name: 'a frame on the second uplink for another machine is nobody’s frontend',
    rows: (s) => rows(s, 'far'),
    steps: (s) => [
      {
        ...{ program: 'xdp_uplink', on: IFINDEX.uplink2, action: 'PASS' },
        frame: frame(BY.uplink, s.far, s.node2, asked),
      },
    ],
    embryos: () => [],
  },
  {
    name: 'pods leave by the uplink that the routes say, with the node’s address there',
    rows: (s) => rows(s, 'podB'),
    steps: (s) => [
      {
        ...sent(s, 'podA', s.far, udp(1000, 53)),
        action: 'REDIRECT',
        out: frame(WAY.outOfA, s.node2, s.far, udp(OWN_PORT, 53), ROUTED),
      },
      {
        ...{ program: 'from_uplink', on: IFINDEX.uplink2, action: 'REDIRECT' },
        frame: frame(BY.uplink2, s.far, s.node2, udp(53, OWN_PORT)),
        out: frame(WAY.intoA, s.far, s.podA, udp(53, 1000), ROUTED),
      },
    ],
    flows: (s) => [
      {
        key: tupleOf(s.podA, 1000, s.far, 53),
        out: tupleOf(s.node2, OWN_PORT, s.far, 53),
        ...{ next: FIB, toIfindex: IFINDEX.uplink2, mtu: MTU.uplink2 },
      },
      { key: tupleOf(s.far, 53, s.node2, OWN_PORT), out: tupleOf(s.far, 53, s.podA, 1000) },
    ],
  },
  {
    name: 'the node’s own packet to a backend that is there keeps its uplink and address',
    rows: (s) => rows(s, 'far'),
    steps: (s) => {
      const macs = { sourceMac: MAC.uplink2, destinationMac: MAC.peer }
      return [
        {
          ...{ program: 'to_uplink', on: IFINDEX.uplink2, action: 'REDIRECT' },
          frame: frame(macs, s.node2, s.node, asked),
          out: frame(macs, s.node2, s.far, given),
        },
      ]
    },
    embryos: (s) => [
      {
        key: tupleOf(s.node2, 1000, s.node, FRONT_PORT),
        out: tupleOf(s.node2, OWN_PORT, s.far, PORT.target),
        ...{ next: FIB, toIfindex: IFINDEX.uplink2 },
      },
      {
        key: tupleOf(s.far, PORT.target, s.node2, OWN_PORT),
        out: tupleOf(s.node, FRONT_PORT, s.node2, 1000),
      },
    ],
  },
]

const world = new World({
  config: { masquerade: 1, masqueradeFirst: OWN_PORT, masqueradeCount: 1 },
})
runFixtures(world, UPLINKS, BOTH_HOOKS)
