// What is not a packet of its own to policy: errors about connections, later fragments; and SCTP,
// which has ports and is not TCP.
import { pattern } from '../../src/net/bytes.ts'
import { type Body, fragments } from '../../src/net/packet.ts'
import { complaint, delivered, PODS, sent, tooBig, UNREACHABLE } from '../support/connection.ts'
import { type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, udp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { entry } from '../support/policy-rows.ts'
import { ID, intoB, refused, then, under } from '../support/policy-steps.ts'
import { createDevices, IFINDEX, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const DNS = { protocol: 17, port: 53 } as const
/** Pod A takes nothing, and may ask pod B and the neighbour's for names. */
const askingA = (s: Side) => ({ [s.podA]: { ingress: [], egress: [entry(ID.b, DNS), ANY_DNS] } })
const ANY_DNS = entry(0, DNS)

const asks = (s: Side): Step => delivered(s, 'podA', 'podB', udp(1000, 53))

/** Pod B says that nobody is at the port that pod A asked. */
function complains(s: Side): Step {
  const got = frame(PODS.podB.into, s.podA, s.podB, udp(1000, 53))
  return delivered(s, 'podB', 'podA', complaint(s, got, UNREACHABLE.port))
}

const ERRORS: readonly Fixture[] = [
  {
    name: 'an error about an allowed connection reaches a pod that takes nothing',
    steps: under(askingA, (s) => [
      asks(s),
      complains(s),
      refused(s, 'podB', s.podA, udp(53, 1001)),
    ]),
    drops: { POLICY_INGRESS: 1 },
  },
  {
    name: 'so does a router’s, of the path’s MTU',
    steps: under(askingA, (s) => {
      const body = udp(1000, 53, pattern(600))
      const quoted = frame(WAY.fromPeer, s.podA, s.neighbourPod, body)
      const router = s.neighbourNode
      return [
        { ...sent(s, 'podA', s.neighbourPod, body), action: 'REDIRECT', out: (actual) => actual },
        {
          program: 'from_uplink',
          on: IFINDEX.uplink,
          frame: frame(WAY.fromPeer, router, s.podA, complaint(s, quoted, tooBig(1280))),
          action: 'REDIRECT',
          out: (actual) => actual,
        },
      ]
    }),
  },
  {
    name: 'an error about a connection that is denied meanwhile does not',
    steps: (s) => [
      ...under(askingA, (side) => [asks(side)])(s),
      then({ ...complains(s), action: 'SHOT' }, s, { [s.podA]: { ingress: [], egress: [] } }),
    ],
    drops: { POLICY_EGRESS: 1 },
  },
]

/** The parts of pod A's datagram to pod B. */
function parts(s: Side, action: Step['action']): Step[] {
  const ends = { source: s.podA, destination: s.podB }
  const packet = { ...PODS.podA.out, ...ends, id: 99, body: udp(1000, 53, pattern(200)) }
  return fragments(packet, 80).map((bytes) => ({
    ...{ program: 'from_pod', on: IFINDEX.podA, frame: bytes, action },
    out: (actual) => actual,
  }))
}

const FRAGMENTS: readonly Fixture[] = [
  {
    name: 'fragments without ports go with the first one, which a rule for its port allows',
    steps: under(intoB([entry(ID.a, DNS)]), (s) => parts(s, 'REDIRECT')),
  },
  {
    name: 'no fragment of a denied datagram gets in',
    steps: under(intoB([entry(ID.a, { ...DNS, port: 54 })]), (s) => parts(s, 'SHOT')),
    drops: { POLICY_INGRESS: 3 },
  },
]

/** Ports 1000 and 8080. */
const sctp: Body = {
  ...{ kind: 'raw', protocol: 132 },
  payload: Uint8Array.from([3, 232, 31, 144, 0, 0, 0, 0, 0, 0, 0, 0]),
}

const SCTP: readonly Fixture[] = [
  {
    name: 'a rule for a port of SCTP lets no TCP in',
    steps: under(intoB([entry(ID.a, { protocol: 132, port: 8080 })]), (s) => [
      delivered(s, 'podA', 'podB', sctp),
      refused(s, 'podA', s.podB, tcp(1000, 8080, 'S')),
    ]),
    drops: { POLICY_INGRESS: 1 },
  },
  {
    name: 'a rule for a port of TCP, or another of SCTP, lets no SCTP in',
    steps: under(
      intoB([entry(ID.a, { protocol: 6, port: 8080 }), entry(ID.a, { protocol: 132, port: 8081 })]),
      (s) => [delivered(s, 'podA', 'podB', tcp(1000, 8080, 'S')), refused(s, 'podA', s.podB, sctp)],
    ),
    drops: { POLICY_INGRESS: 1 },
  },
]

runFixtures(new World(), [...ERRORS, ...FRAGMENTS, ...SCTP])
