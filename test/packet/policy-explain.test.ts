// policy_explain: the same answers as packets get, without a packet, a flow or a count.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import { askPolicy } from '../../src/datapath/policy-explain.ts'
import { IDENTITY } from '../../src/tables/policy.ts'
import { sent } from '../support/connection.ts'
import { tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { enforce, entry } from '../support/policy-rows.ts'
import { ID, WEB, wishOf } from '../support/policy-steps.ts'
import { createDevices, SIDES } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()
const world = new World()

for (const s of SIDES) {
  test(`it names rule, entry and peer of both ends (IPv${s.family})`, () => {
    world.reset()
    const range = { protocol: 6, port: 8080, portBits: 12, ruleId: 7 }
    const pods = {
      [s.podA]: {
        egress: [entry(IDENTITY.any, { verdict: 'deny', ruleId: 3 }), entry(ID.b, range)],
      },
      [s.podB]: { ingress: [] },
    }
    enforce(world, wishOf(s, pods))
    const web = { source: s.podA, destination: s.podB, ...WEB }
    const dns = { ...web, protocol: 17, port: 53 }
    const kubelet = { ...web, source: s.gateway }
    const rules = world.entries(layout.maps.policy)
    const answers = askPolicy(world.program('policy_explain'), rules, [web, dns, kubelet])
    const [first, second, third] = answers
    assert.deepEqual(first, {
      ...web,
      egress: {
        ...{ verdict: 'allow', policyId: 1, identity: ID.b, ruleId: 7 },
        entry: { identity: ID.b, protocol: 6, port: 8080, portBits: 12 },
      },
      ingress: { verdict: 'deny', policyId: 2, identity: ID.a, ruleId: 0 },
      allowed: false,
    })
    assert.equal(second?.egress.verdict, 'deny')
    assert.equal(second?.egress.ruleId, 3)
    assert.deepEqual([third?.egress.verdict, third?.ingress.verdict], ['not_asked', 'not_asked'])
    assert.equal(third?.allowed, true)
    assert.deepEqual([...world.entries(layout.maps.embryos).keys()], [])
    assert.deepEqual(world.counters(), [])
  })

  test(`it says what packets meet, for every pair and port (IPv${s.family})`, () => {
    world.reset()
    const ingress = [entry(ID.a, WEB), entry(IDENTITY.any, { protocol: 17, port: 53 })]
    enforce(world, wishOf(s, { [s.podB]: { ingress }, [s.podA]: { egress: [entry(ID.b)] } }))
    for (const from of ['podA', 'podB'] as const) {
      for (const destination of [s.podA, s.podB, s.world, s.overlayPod]) {
        for (const [protocol, port] of [
          [6, 8080],
          [6, 81],
          [17, 53],
        ] as const) {
          if (destination === s[from]) continue
          const asked = { source: s[from], destination, protocol, port }
          const rules = world.entries(layout.maps.policy)
          const [answer] = askPolicy(world.program('policy_explain'), rules, [asked])
          const body = protocol === 6 ? tcp(1000, port, 'S') : udp(1000, port)
          const { program, frame, on } = sent(s, from, destination, body)
          const isDropped = world.run(program, frame, on).action === 'SHOT'
          assert.equal(answer?.allowed, !isDropped, JSON.stringify(asked))
        }
      }
    }
  })
}
