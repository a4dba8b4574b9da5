// What is not taken off the tunnel: strangers' packets, addresses that live elsewhere, other VNIs.
import * as layout from '../../src/datapath/layout.gen.ts'
import { intoPod, sent, tuple } from '../support/connection.ts'
import { type Fixture, reverse, runFixtures } from '../support/fixture.ts'
import { frame, tcp, tunnelled, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, VNI } from '../support/topology.ts'
import { arriving, BY_HOST, fromRemote, remotePair, STRANGER, toRemote } from '../support/tunnel.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { SEEN_REPLY, REVERSE } = layout.FlowFlags

const NOT_TAKEN: readonly Fixture[] = [
  {
    name: 'VXLAN from an address that is no node is dropped',
    steps: (s) => [
      { ...arriving(s.overlayPod, s.podA, udp(1, 2), { node: STRANGER }), action: 'SHOT' },
    ],
    flows: () => [],
    embryos: () => [],
    drops: { UNKNOWN_TUNNEL_PEER: 1 },
  },
  {
    name: 'a node may not send what lives on another one',
    steps: (s) => [
      { ...arriving(s.neighbourPod, s.podA, udp(1, 2)), action: 'SHOT' },
      { ...arriving(s.podB, s.podA, udp(1, 2)), action: 'SHOT' },
      { ...arriving(s.world, s.podA, udp(1, 2)), action: 'SHOT' },
    ],
    embryos: () => [],
    drops: { SPOOFED_SOURCE: 3 },
  },
  {
    name: 'an established flow is not open to another node',
    steps: (s) => [
      toRemote(s, tcp(1000, 8080, 'S')),
      fromRemote(s, tcp(8080, 1000, 'SA')),
      toRemote(s, tcp(1000, 8080)),
      {
        ...arriving(s.overlayPod, s.podA, tcp(8080, 1000), { node: STRANGER }),
        action: 'SHOT',
      },
    ],
    flows: (s) => remotePair(s, SEEN_REPLY),
    drops: { UNKNOWN_TUNNEL_PEER: 1 },
  },
  {
    name: 'an address without a pod is left to the VXLAN device, whose hook answers',
    steps: (s) => [{ ...arriving(s.overlayPod, s.nobody, udp(1, 2)), action: 'PASS' }],
    embryos: () => [],
  },
  {
    name: 'this node is no transit to a third one',
    steps: (s) => [{ ...arriving(s.overlayPod, s.neighbourPod, udp(1, 2)), action: 'SHOT' }],
    embryos: () => [],
    drops: { NO_ROUTE: 1 },
  },
  {
    name: 'another VNI or another port is the host’s own',
    steps: (s) => [
      { ...arriving(s.overlayPod, s.podA, udp(1, 2), { vni: VNI + 1 }), action: 'PASS' },
      { ...arriving(s.overlayPod, s.podA, udp(1, 2), { port: 4789 }), action: 'PASS' },
    ],
    embryos: () => [],
  },
  {
    name: 'a packet of ours sent to another address than the node’s is not taken',
    families: [4],
    steps: (s) => {
      const inner = frame(BY_HOST, s.overlayPod, s.podA, udp(1, 2))
      const bytes = tunnelled(inner, { source: s.overlayNode, destination: s.neighbourNode })
      return [{ program: 'from_uplink', on: IFINDEX.uplink, frame: bytes, action: 'PASS' }]
    },
  },
  {
    name: 'the pod’s own answers to a stranger stay on their way',
    steps: (s) => [{ ...sent(s, 'podA', s.world, udp(1000, 53)), action: 'PASS' }],
    embryos: (s) => {
      const key = tuple(s.podA, 1000, s.world, 53, 17)
      return [
        { key, out: key, next: layout.FlowNext.STACK, flags: 0 },
        { key: reverse(key), out: reverse(key), ...intoPod('podA', 0), flags: REVERSE },
      ]
    },
  },
]

runFixtures(new World(), NOT_TAKEN)
