// Who is asked by policy, and about whom: pods, nodes, the world, and what is behind a Service.
import { parseAddress } from '../../src/net/address.ts'
import { hostPrefix } from '../../src/net/prefix.ts'
import { IDENTITY } from '../../src/tables/policy.ts'
import { PODS, ROUTED, sent } from '../support/connection.ts'
import { type Fixture, runFixtures } from '../support/fixture.ts'
import { frame, tcp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { enforce, entry } from '../support/policy-rows.ts'
import { ID, intoB, outOfA, refused, under, WEB, wishOf } from '../support/policy-steps.ts'
import { createDevices, IFINDEX, PORT } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()
const world = new World()

const PEERS: readonly Fixture[] = [
  {
    name: 'the world is known by the longest prefix that a rule names',
    steps: (s) => {
      const wish = wishOf(s, outOfA([entry(ID.block, WEB)])(s))
      const cidrs = { [hostPrefix(s.world)]: ID.block, [s.family === 4 ? '0.0.0.0/0' : '::/0']: 99 }
      return [
        {
          ...{ ...sent(s, 'podA', s.world, tcp(1000, 8080, 'S')), action: 'PASS' },
          before: (world) => enforce(world, { ...wish, cidrs }),
        },
        refused(s, 'podA', s.world, tcp(1000, 8081, 'S')),
        refused(s, 'podA', s.routedNode, tcp(1000, 8080, 'S')),
      ]
    },
    drops: { POLICY_EGRESS: 2 },
  },
  {
    name: 'a pod of another node is known by its address, or else as a pod',
    steps: under(
      outOfA([entry(ID.far, WEB), entry(IDENTITY.unknownPod, { ...WEB, port: 81 })]),
      (s) => {
        const unknown = s.neighbourPod
        return [
          refused(s, 'podA', s.overlayPod, tcp(1000, 81, 'S')),
          refused(s, 'podA', unknown, tcp(1000, 8080, 'S')),
          refused(s, 'podA', s.node, tcp(1000, 8080, 'S')),
          refused(s, 'podA', s.neighbourNode, tcp(1000, 8080, 'S')),
        ]
      },
    ),
    drops: { POLICY_EGRESS: 4 },
  },
  {
    name: 'this node and others are peers of a pod that goes out',
    steps: under(outOfA([entry(IDENTITY.host, WEB)]), (s) => [
      { ...sent(s, 'podA', s.node, tcp(1000, 8080, 'S')), action: 'PASS' },
      { ...sent(s, 'podA', s.gateway, tcp(1000, 8080, 'S')), action: 'PASS' },
      refused(s, 'podA', s.overlayNode, tcp(1000, 8080, 'S')),
    ]),
    families: [4],
    drops: { POLICY_EGRESS: 1 },
  },
  {
    name: 'cloud metadata is a destination like others',
    families: [4],
    steps: under(outOfA([]), (s) => [
      refused(s, 'podA', parseAddress('169.254.169.254'), tcp(1000, 80, 'S')),
    ]),
    drops: { POLICY_EGRESS: 1 },
  },
  {
    name: 'the node itself reaches its pods, and is answered',
    steps: under(
      (s) => ({ [s.podA]: { ingress: 'closed', egress: 'closed' } }),
      (s) => [
        {
          program: 'to_pod',
          on: IFINDEX.podA,
          frame: frame(WAY.intoA, s.gateway, s.podA, tcp(1000, 8080, 'S')),
          action: 'PASS',
        },
        { ...sent(s, 'podA', s.gateway, tcp(8080, 1000, 'SA')), action: 'PASS' },
      ],
    ),
  },
  {
    name: 'from the wire a pod is asked about the true sender',
    steps: under(intoB([]), (s) => [
      {
        program: 'from_uplink',
        on: IFINDEX.uplink,
        frame: frame(WAY.fromPeer, s.neighbourPod, s.podB, tcp(1000, 8080, 'S')),
        action: 'SHOT',
      },
    ]),
    drops: { POLICY_INGRESS: 1 },
  },
]

const TRANSLATED: readonly Fixture[] = [
  {
    name: 'of a Service the pod and port behind it are asked for',
    steps: under(
      (s) => ({
        [s.podA]: { egress: [entry(ID.b, WEB)] },
        [s.podB]: { ingress: [entry(ID.a, WEB)] },
      }),
      (s) => [
        {
          ...sent(s, 'podA', s.service, tcp(1000, PORT.local, 'S')),
          action: 'REDIRECT',
          out: frame(PODS.podB.into, s.podA, s.podB, tcp(1000, PORT.target, 'S'), ROUTED),
        },
        {
          ...sent(s, 'podB', s.podA, tcp(PORT.target, 1000, 'SA')),
          action: 'REDIRECT',
          out: frame(PODS.podA.into, s.service, s.podA, tcp(PORT.local, 1000, 'SA'), ROUTED),
        },
      ],
    ),
  },
  {
    name: 'a rule for the port of the Service is none for the pod behind',
    steps: under(intoB([entry(ID.a, { ...WEB, port: PORT.local })]), (s) => [
      refused(s, 'podA', s.service, tcp(1000, PORT.local, 'S')),
    ]),
    drops: { POLICY_INGRESS: 1 },
  },
  {
    name: 'a pod reaches itself through its Service, whatever the rules say',
    steps: under(
      (s) => ({ [s.podA]: { ingress: 'closed', egress: 'closed' } }),
      (s) => [
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
      ],
    ),
  },
]

runFixtures(world, [...PEERS, ...TRANSLATED])
