// Policy: who is asked, about whom, and what becomes of new, established and stale flows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import { IDENTITY } from '../../src/tables/policy.ts'
import { delivered, handshake, pairAToB, sent } from '../support/connection.ts'
import { drops, type Fixture, runFixtures } from '../support/fixture.ts'
import { echo, tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { enforce, entry } from '../support/policy-rows.ts'
import { ID, intoB, outOfA, refused, then, under, WEB, wishOf } from '../support/policy-steps.ts'
import { createDevices, SIDES, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()
const world = new World()

const icmp = (s: Side): number => (s.family === 4 ? 1 : 58)

const NEW: readonly Fixture[] = [
  {
    name: 'an isolated pod is entered by nobody, and no flow is made',
    steps: under(intoB([]), (s) => [
      refused(s, 'podA', s.podB, tcp(1000, 8080, 'S')),
      refused(s, 'podA', s.podB, udp(1000, 53)),
      refused(s, 'podA', s.podB, echo(s.family, 7)),
    ]),
    drops: { POLICY_INGRESS: 3 },
    embryos: () => [],
  },
  {
    name: 'a rule lets its peer in by its port, is remembered, and answers need none',
    steps: under(
      (s) => ({ [s.podB]: { ingress: [entry(ID.a, { ...WEB, ruleId: 9 })], egress: [] } }),
      handshake,
    ),
    flows: (s) => pairAToB(s).map((flow) => ({ ...flow, egressRule: 0, ingressRule: 9 })),
  },
  {
    name: 'a rule for another port, protocol or peer lets nobody in',
    steps: under(
      intoB([entry(ID.a, { ...WEB, port: 8081 }), entry(ID.far), entry(ID.a, { protocol: 17 })]),
      (s) => [refused(s, 'podA', s.podB, tcp(1000, 8080, 'S'))],
    ),
    drops: { POLICY_INGRESS: 1 },
  },
  {
    name: 'egress is asked of the source, before ingress of the destination',
    steps: under(
      (s) => ({ [s.podA]: { egress: [] }, [s.podB]: { ingress: [] } }),
      (s) => [refused(s, 'podA', s.podB, tcp(1000, 8080, 'S'))],
    ),
    drops: { POLICY_EGRESS: 1 },
  },
  {
    name: 'both sides have to allow, and both rules are remembered',
    steps: under(
      (s) => ({
        [s.podA]: { egress: [entry(ID.b, { ...WEB, ruleId: 4 })] },
        [s.podB]: { ingress: [entry(ID.a, { ...WEB, ruleId: 5 })] },
      }),
      handshake,
    ),
    flows: (s) => pairAToB(s).map((flow) => ({ ...flow, egressRule: 4, ingressRule: 5 })),
  },
  {
    name: 'a rule without ports lets ICMP and other protocols in',
    steps: under(intoB([entry(ID.a)]), (s) => [
      delivered(s, 'podA', 'podB', echo(s.family, 7)),
      delivered(s, 'podB', 'podA', echo(s.family, 7, { reply: true })),
      delivered(s, 'podA', 'podB', { kind: 'raw', protocol: 47, payload: new Uint8Array(12) }),
    ]),
  },
  {
    name: 'a rule with ports lets no ICMP in, one for ICMP does',
    steps: (s) => [
      ...under(intoB([entry(ID.a, { protocol: 6 })]), () => [
        refused(s, 'podA', s.podB, echo(s.family, 7)),
      ])(s),
      then(delivered(s, 'podA', 'podB', echo(s.family, 8)), s, {
        [s.podB]: { ingress: [entry(ID.a, { protocol: icmp(s) })] },
      }),
    ],
    drops: { POLICY_INGRESS: 1 },
  },
  {
    name: 'ranges of ports are prefixes, the longest counts',
    steps: under(
      intoB([
        entry(ID.a, { protocol: 6, port: 8064, portBits: 10 }),
        entry(ID.a, { protocol: 6, port: 8080, verdict: 'deny' }),
      ]),
      (s) => [
        delivered(s, 'podA', 'podB', tcp(1000, 8127, 'S')),
        refused(s, 'podA', s.podB, tcp(1000, 8080, 'S')),
        refused(s, 'podA', s.podB, tcp(1000, 8128, 'S')),
      ],
    ),
    drops: { POLICY_INGRESS: 2 },
  },
  {
    name: "the peer's own entries come before those of all pods, and these before everybody's",
    steps: under(
      (s) => {
        const group = s.family === 4 ? IDENTITY.pods4 : IDENTITY.pods6
        const deny = { verdict: 'deny' } as const
        return {
          [s.podB]: {
            ingress: [entry(ID.a, { ...deny, ...WEB }), entry(group), entry(IDENTITY.any, deny)],
          },
        }
      },
      (s) => [
        refused(s, 'podA', s.podB, tcp(1000, 8080, 'S')),
        delivered(s, 'podA', 'podB', tcp(1000, 8081, 'S')),
      ],
    ),
    drops: { POLICY_INGRESS: 1 },
  },
  {
    name: 'what does not fit is closed in both directions',
    steps: under(
      (s) => ({ [s.podB]: { ingress: 'closed', egress: 'closed' } }),
      (s) => [
        refused(s, 'podA', s.podB, tcp(1000, 8080, 'S')),
        refused(s, 'podB', s.podA, tcp(1000, 8080, 'S')),
      ],
    ),
    drops: { POLICY_INGRESS: 1, POLICY_EGRESS: 1 },
  },
  {
    name: 'a namespace that is only watched loses nothing',
    steps: under((s) => ({ [s.podB]: { ingress: [], egress: 'closed', audit: true } }), handshake),
    flows: (s) => pairAToB(s).map((flow) => ({ ...flow, ingressRule: 0 })),
  },
]

const CHANGES: readonly Fixture[] = [
  {
    name: 'an established flow that is denied now ends in both directions, and lives when allowed',
    steps: (s) => [
      ...handshake(s),
      then(refused(s, 'podA', s.podB, tcp(1000, 8080)), s, intoB([])(s)),
      refused(s, 'podB', s.podA, tcp(8080, 1000)),
      then(delivered(s, 'podA', 'podB', tcp(1000, 8080)), s, intoB([entry(ID.a)])(s)),
      delivered(s, 'podB', 'podA', tcp(8080, 1000)),
    ],
    drops: { POLICY_INGRESS: 2 },
  },
  {
    name: 'an unfinished handshake is decided again too',
    steps: (s) => [
      delivered(s, 'podA', 'podB', tcp(1000, 8080, 'S')),
      then(refused(s, 'podB', s.podA, tcp(8080, 1000, 'SA')), s, outOfA([])(s)),
    ],
    drops: { POLICY_EGRESS: 1 },
  },
  {
    name: 'the answers of a flow that stays allowed pass though their pod may not go out',
    steps: (s) => [
      ...handshake(s),
      then(delivered(s, 'podB', 'podA', tcp(8080, 1000)), s, {
        [s.podA]: { ingress: 'closed', egress: [entry(ID.b, { ...WEB, ruleId: 8 })] },
        [s.podB]: { egress: 'closed', ingress: [entry(ID.a, WEB)] },
      }),
      delivered(s, 'podA', 'podB', tcp(1000, 8080)),
    ],
    flows: (s) => pairAToB(s).map((flow) => ({ ...flow, epoch: 2, egressRule: 8, ingressRule: 1 })),
  },
]

runFixtures(world, [...NEW, ...CHANGES])

for (const s of SIDES) {
  test(`only the half in force is read (IPv${s.family})`, () => {
    world.reset()
    enforce(world, wishOf(s, intoB([])(s)))
    const pods = world.entries(layout.maps.podPolicies)
    const closed = pods.get({ address: s.podB })?.of[0]
    const open = { ingressPolicy: 0, egressPolicy: 0, flags: layout.EndpointPolicyFlags.PRESENT }
    assert.ok(closed)
    pods.updateMany([[{ address: s.podB }, { of: [open, closed] }]])
    const { program, frame: packet, on } = sent(s, 'podA', s.podB, udp(1000, 53))
    assert.equal(world.run(program, packet, on).action, 'REDIRECT')
    pods.updateMany([[{ address: s.podB }, { of: [closed, open] }]])
    world.epoch = 2
    assert.equal(world.run(program, packet, on).action, 'SHOT')
    assert.deepEqual(drops(world), { POLICY_INGRESS: 1 })
  })
}
