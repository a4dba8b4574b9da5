// What passes through a frontend beside ordinary packets: errors, what is too long, fragments, the
// last hop.
import { pattern } from '../../src/net/bytes.ts'
import { fragments } from '../../src/net/packet.ts'
import { complaint, ROUTED, tooBig } from '../support/connection.ts'
import { BOTH_HOOKS, type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tunnelled, udp, WAY } from '../support/frames.ts'
import { asked, FRONT_PORT, frontRows, OWN_PORT } from '../support/node-port.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, PORT, type Side } from '../support/topology.ts'
import { BY_HOST, NODE, OVERLAY_MTU, wrapped } from '../support/tunnel.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

/** From the pod's node: "frag needed" about the client's packet as this node sent it on. */
function complainedBehind(s: Side): Step {
  const about = frame(BY_HOST, s.node, s.overlayPod, udp(OWN_PORT, PORT.target), ROUTED)
  const seen = frame(BY_HOST, s.world, s.node, udp(1000, FRONT_PORT), ROUTED)
  const body = complaint(s, about, tooBig(1400))
  const inner = frame(BY_HOST, s.overlayGateway, s.node, body)
  return {
    ...asked(s, tunnelled(inner, { source: s.overlayNode, destination: NODE })),
    action: 'REDIRECT',
    out: frame(WAY.fromPeer, s.overlayGateway, s.world, complaint(s, seen, tooBig(1400)), ROUTED),
  }
}

/** A datagram's parts to the frontend, and what the backend's node gets of each. */
function parts(s: Side): Step[] {
  const way = { ...WAY.fromPeer, source: s.world, destination: s.node, id: 5 }
  const body = udp(1000, FRONT_PORT, pattern(200))
  const seen = udp(OWN_PORT, PORT.target, pattern(200))
  const inner = { ...BY_HOST, source: s.node, destination: s.overlayPod, id: 5, ...ROUTED }
  const out = fragments({ ...inner, body: seen }, 80)
  return fragments({ ...way, body }, 80).map((bytes, at) => ({
    ...asked(s, bytes),
    action: 'REDIRECT',
    out: wrapped(s, out[at] as Uint8Array),
  }))
}

const THROUGH: readonly Fixture[] = [
  {
    name: 'an ICMP error from behind both translations reaches the client about its own packet',
    rows: (s) => frontRows(s, { backends: ['overlayPod'] }),
    steps: (s) => [
      {
        ...asked(s, frame(WAY.fromPeer, s.world, s.node, udp(1000, FRONT_PORT))),
        ...{ action: 'REDIRECT', sentByXdp: true },
        out: wrapped(s, frame(BY_HOST, s.node, s.overlayPod, udp(OWN_PORT, PORT.target), ROUTED)),
      },
      complainedBehind(s),
    ],
  },
  {
    name: 'what does not fit into the tunnel is answered to the client by the frontend',
    rows: (s) => frontRows(s, { backends: ['overlayPod'] }),
    steps: (s) => {
      const large = frame(WAY.fromPeer, s.world, s.node, udp(1000, FRONT_PORT, pattern(1440)))
      const macs = {
        sourceMac: WAY.fromPeer.destinationMac,
        destinationMac: WAY.fromPeer.sourceMac,
      }
      const answer = complaint(s, large, tooBig(OVERLAY_MTU))
      const out = frame(macs, s.node, s.world, answer, { dontFragment: true })
      return [{ ...asked(s, large), action: 'REDIRECT', out }]
    },
    drops: { TOO_BIG: 1 },
  },
  {
    name: 'fragments to a frontend are all translated, to the other node’s pod',
    rows: (s) => frontRows(s, { backends: ['overlayPod'] }),
    steps: parts,
  },
  {
    name: 'the last hop to a frontend ends here, and the client is told',
    rows: (s) => frontRows(s, { backends: ['podB'] }),
    steps: (s) => [
      {
        ...asked(s, frame(WAY.fromPeer, s.world, s.node, udp(1000, FRONT_PORT), { ttl: 1 })),
        action: 'REDIRECT',
        out: (actual) => actual,
      },
    ],
    drops: { TTL_EXPIRED: 1 },
  },
]

const world = new World({ config: { masqueradeFirst: OWN_PORT, masqueradeCount: 1 } })
runFixtures(world, THROUGH, BOTH_HOOKS)
