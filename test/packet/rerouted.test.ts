// The way to another node changes under a connection: its answers take the way by which the
// questions come now, for the other node refuses them by the old one. And answers that take another
// way than the questions from the start.
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Body } from '../../src/net/packet.ts'
import { PODS, ROUTED, sent } from '../support/connection.ts'
import { BOTH_HOOKS, type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, udp, WAY } from '../support/frames.ts'
import { asked, FRONT_PORT, frontRows, OWN_PORT } from '../support/node-port.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import {
  createDevices,
  IFINDEX,
  type MapRows,
  NEIGHBOUR_TUNNEL,
  PORT,
  type Side,
} from '../support/topology.ts'
import { arriving, BY_HOST, wrapped } from '../support/tunnel.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

type Client = 'neighbourPod' | 'neighbourNode'
const question = udp(1000, 8080)
const answer = udp(8080, 1000)

/** The neighbour, reached by VXLAN or without, as its address and its pods' are. */
function rows(s: Side, routing: 'native' | 'vxlan'): MapRows['destinations'] {
  const { OVERLAY, ON_LINK, NODE } = layout.DestinationFlags
  const isNative = routing === 'native'
  const node = isNative ? s.neighbourNode : NEIGHBOUR_TUNNEL
  const flags = ON_LINK | (isNative ? 0 : OVERLAY)
  const value = { node, tunnel: NEIGHBOUR_TUNNEL, flags }
  return [
    [{ prefixLength: 128, address: s.neighbourPod }, value],
    [
      { prefixLength: 128, address: s.neighbourNode },
      { ...value, flags: flags | NODE },
    ],
    [
      { prefixLength: 128, address: NEIGHBOUR_TUNNEL },
      { ...value, flags: flags | NODE },
    ],
  ]
}

function natively(s: Side, client: Client): Step[] {
  return [
    {
      ...{ program: 'from_uplink', on: IFINDEX.uplink, action: 'REDIRECT' },
      frame: frame(WAY.fromPeer, s[client], s.podA, question),
      out: frame(WAY.intoA, s[client], s.podA, question, ROUTED),
    },
    {
      ...sent(s, 'podA', s[client], answer),
      action: 'REDIRECT',
      out: frame(PODS.podA.out, s.podA, s[client], answer, ROUTED),
    },
  ]
}

function byVxlan(s: Side, client: Client): Step[] {
  const inner = frame(BY_HOST, s.podA, s[client], answer, ROUTED)
  return [
    {
      ...arriving(s[client], s.podA, question, { node: NEIGHBOUR_TUNNEL, ttl: 64 }),
      action: 'REDIRECT',
      out: frame(WAY.intoA, s[client], s.podA, question, ROUTED),
    },
    {
      ...sent(s, 'podA', s[client], answer),
      action: 'REDIRECT',
      out: wrapped({ ...s, overlayNode: NEIGHBOUR_TUNNEL }, inner),
    },
  ]
}

/** The first of the steps, after the nodes have agreed on another way. */
function after(
  steps: readonly Step[],
  s: Side,
  routing: 'native' | 'vxlan',
  epoch: number,
): Step[] {
  const [first, ...rest] = steps as [Step, ...Step[]]
  const before: Step['before'] = (world) => {
    world.entries(layout.maps.destinations).updateMany(rows(s, routing))
    world.epoch = epoch
  }
  return [{ ...first, before }, ...rest]
}

const REROUTED = (['neighbourPod', 'neighbourNode'] as const).map(
  (client): Fixture => ({
    name: `a ${client} that came natively comes by VXLAN, and natively again`,
    rows: (s) => ({ destinations: rows(s, 'native') }),
    steps: (s) => [
      ...natively(s, client),
      ...after(byVxlan(s, client), s, 'vxlan', 2),
      ...after(natively(s, client), s, 'native', 3),
    ],
  }),
)

/** The outside client's packet to a process of a node that is reached by VXLAN. */
function asksNode(s: Side, body: (from: number, to: number) => Body): Step {
  const inner = frame(BY_HOST, s.node, s.overlayNode, body(OWN_PORT, PORT.target), ROUTED)
  return {
    ...asked(s, frame(WAY.fromPeer, s.world, s.node, body(1000, FRONT_PORT))),
    ...{ action: 'REDIRECT', sentByXdp: true },
    out: wrapped(s, inner),
  }
}

/** The node's own stack answers without VXLAN, as it answers anybody. */
function nodeAnswers(s: Side, body: (from: number, to: number) => Body): Step {
  return {
    ...asked(s, frame(WAY.fromPeer, s.overlayNode, s.node, body(PORT.target, OWN_PORT))),
    ...{ action: 'REDIRECT', sentByXdp: true },
    out: frame(WAY.fromPeer, s.node, s.world, body(FRONT_PORT, 1000), ROUTED),
  }
}

const segment = (flags: string) => (from: number, to: number) => tcp(from, to, flags)

const CROSSED: readonly Fixture[] = [
  {
    name: 'a node that is asked by VXLAN and answers natively establishes UDP by its first answer',
    families: [4],
    rows: (s) => frontRows(s, { backends: ['overlayNode'] }),
    steps: (s) => [asksNode(s, udp), nodeAnswers(s, udp)],
    embryos: () => [],
  },
  {
    name: 'and TCP by the ACK after it',
    families: [4],
    rows: (s) => frontRows(s, { backends: ['overlayNode'] }),
    steps: (s) => [
      asksNode(s, segment('S')),
      nodeAnswers(s, segment('SA')),
      asksNode(s, segment('A')),
    ],
    embryos: () => [],
  },
]

const world = new World({ config: { masqueradeFirst: OWN_PORT, masqueradeCount: 1 } })
runFixtures(world, [...REROUTED, ...CROSSED], BOTH_HOOKS)
