// Every drop is an event in the ring buffer and a count by its reason and place; what passes is
// counted by where it went.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { decodeEvent } from '../../src/datapath/events.ts'
import * as layout from '../../src/datapath/layout.gen.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { RingBuffer } from '../../src/libbpf/ring-buffer.ts'
import type { Address } from '../../src/net/address.ts'
import { IDENTITY } from '../../src/tables/policy.ts'
import { handshake, sent, tuple } from '../support/connection.ts'
import { frame, tcp, udp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { enforce, entry } from '../support/policy-rows.ts'
import { ID, wishOf } from '../support/policy-steps.ts'
import { createDevices, IFINDEX, SIDES } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()
const world = new World()
const events: layout.Event[] = []
let wake = (): void => {}
const ring = new RingBuffer(openLibrary(), world.map(layout.maps.events.name), (records) => {
  events.push(...records.map(layout.event.fromBytes))
  wake()
})
after(() => ring.close())

async function eventCount(count: number): Promise<void> {
  while (events.length < count) {
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
}

for (const s of SIDES) {
  test(`a drop is one event with its tuple, place and endpoint (IPv${s.family})`, async () => {
    world.reset()
    events.length = 0
    const spoofed = frame(WAY.outOfA, s.world, s.podB, tcp(1000, 8080, 'S'))
    const uplink = frame(WAY.fromPeer, s.podA, s.podB, udp(5, 6))
    const before = process.hrtime.bigint()
    world.run('from_pod', spoofed, IFINDEX.podA)
    world.run('from_uplink', uplink, IFINDEX.uplink)
    await eventCount(2)
    const [first, second] = events
    assert.ok(first && first.timestamp > before - 10n ** 9n)
    const reason = layout.DropReason.SPOOFED_SOURCE
    assert.deepEqual(
      { ...first, timestamp: 0n },
      {
        timestamp: 0n,
        tuple: tuple(s.world, 1000, s.podB, 8080),
        ifindex: IFINDEX.podA,
        length: spoofed.length,
        endpointId: 2,
        reason,
        direction: layout.Direction.FROM_POD,
        ruleId: 0,
        identity: 0,
        verdict: layout.PolicyVerdict.DENY,
        policyDirection: layout.PolicyDirection.EGRESS,
      },
    )
    assert.deepEqual(second?.tuple, tuple(s.podA, 5, s.podB, 6, 17))
    assert.equal(second?.endpointId, 1)
    assert.equal(second?.direction, layout.Direction.FROM_UPLINK)
  })

  test(`decisions of policy are reported with their rule (IPv${s.family})`, async () => {
    world.reset()
    const audit = { ingress: [], audit: true }
    const egress = [entry(ID.b, { ruleId: 7 })]
    enforce(world, wishOf(s, { [s.podA]: { egress }, [s.podB]: audit }))
    const run = (to: Address, port: number): void => {
      const { program, frame: packet, on } = sent(s, 'podA', to, udp(1000, port))
      world.run(program, packet, on)
    }
    const told = (): (string | number)[][] =>
      events
        .map(layout.event.toBytes)
        .map(decodeEvent)
        .map(({ kind, reason, policy }) => {
          const { direction = '', verdict = '', ruleId = -1, identity = 0 } = policy ?? {}
          return [kind, reason, direction, verdict, ruleId, identity]
        })
    const audited = ['verdict', 'none', 'ingress', 'audit', 0, ID.a]
    events.length = 0
    run(s.podB, 1)
    await eventCount(1)
    assert.deepEqual(told(), [audited], 'allowed is no news unless somebody watches')
    events.length = 0
    world.setWord('policyReports', 1)
    run(s.podB, 2)
    run(s.world, 3)
    await eventCount(3)
    world.setWord('policyReports', 0)
    assert.deepEqual(told(), [
      ['verdict', 'none', 'egress', 'allow', 7, ID.b],
      audited,
      ['drop', 'policy_egress', 'egress', 'deny', 0, IDENTITY.world],
    ])
    const { AUDITED } = layout.MetricSlot
    const counted = world.counters().filter(({ slot }) => slot === AUDITED + 1)
    assert.deepEqual(
      counted.map(({ packets }) => packets),
      [2],
    )
  })

  test(`drops and forwarded packets are counted by place (IPv${s.family})`, async () => {
    world.reset()
    events.length = 0
    const spoofed = frame(WAY.outOfA, s.world, s.podB, tcp(1000, 8080, 'S'))
    world.run('from_pod', spoofed, IFINDEX.podA)
    let bytes = 0
    for (const step of handshake(s)) {
      world.run(step.program, step.frame, step.on)
      bytes += step.frame.length
    }
    const toWorld = sent(s, 'podA', s.world, udp(1, 2))
    world.run(toWorld.program, toWorld.frame, toWorld.on)
    const { FROM_POD } = layout.Direction
    const { FORWARDED } = layout.MetricSlot
    const { ENDPOINT, STACK } = layout.FlowNext
    const dropped = layout.DropReason.SPOOFED_SOURCE
    const counters = world.counters().sort((a, b) => a.slot - b.slot)
    assert.deepEqual(counters, [
      { direction: FROM_POD, slot: dropped, packets: 1, bytes: spoofed.length },
      { direction: FROM_POD, slot: FORWARDED + STACK, packets: 1, bytes: toWorld.frame.length },
      { direction: FROM_POD, slot: FORWARDED + ENDPOINT, packets: 3, bytes },
    ])
    await eventCount(1)
  })
}
