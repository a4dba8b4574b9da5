// The flow table's promises: a full table refuses new connections and keeps the old ones, a flood
// of unanswered ones displaces only its own kind, and pairs live and die whole.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import { delivered, handshake, sent, tuple } from '../support/connection.ts'
import { drops, reverse, type Step } from '../support/fixture.ts'
import { tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { assertFrame, describeFrame } from '../support/packet.ts'
import { createDevices, PORT, SIDES, type Side, serviceId } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const EMBRYOS = 256
const small = new World({ maxEntries: { flows: 5, embryos: EMBRYOS } })

function run(world: World, steps: readonly Step[]): void {
  for (const { program, frame, on, action, out } of steps) {
    const result = world.run(program, frame, on)
    assert.equal(result.action, action, Object.keys(drops(world)).join(', '))
    if (action !== 'SHOT' && out instanceof Uint8Array) assertFrame(result.frame, out)
  }
}

function connection(s: Side, port: number): [Step, Step, Step] {
  return [
    delivered(s, 'podA', 'podB', tcp(port, 8080, 'S')),
    delivered(s, 'podB', 'podA', tcp(8080, port, 'SA')),
    delivered(s, 'podA', 'podB', tcp(port, 8080)),
  ]
}

function flowKeys(world: World): string[] {
  const keys = [...world.entries(layout.maps.flows).entries()].map(([key]) => key)
  return keys.map((key) => JSON.stringify(layout.tuple.fromBytes(layout.tuple.toBytes(key)))).sort()
}

function assertPairs(world: World, count: number): void {
  const keys = new Set(flowKeys(world))
  assert.equal(keys.size, count * 2)
  for (const [, { out }] of world.entries(layout.maps.flows).entries()) {
    assert.ok(keys.has(JSON.stringify(reverse(out))), 'both halves are there')
  }
}

for (const s of SIDES) {
  test(`a full flow table refuses a third connection whole and keeps two (IPv${s.family})`, () => {
    small.reset()
    run(small, [...connection(s, 1), ...connection(s, 2)])
    const [syn, answer, end] = connection(s, 3)
    run(small, [syn, answer, { ...end, action: 'SHOT' }, { ...end, action: 'SHOT' }])
    assert.deepEqual(drops(small), { FLOW_TABLE_FULL: 2 })
    assertPairs(small, 2)
    run(small, [
      delivered(s, 'podA', 'podB', tcp(1, 8080)),
      delivered(s, 'podB', 'podA', tcp(8080, 2)),
    ])
  })

  test(`a refused connection is established once there is room (IPv${s.family})`, () => {
    small.reset()
    const [syn, answer, end] = connection(s, 3)
    run(small, [...connection(s, 1), ...connection(s, 2), syn, answer])
    run(small, [{ ...end, action: 'SHOT' }])
    const gone = tuple(s.podA, 1, s.podB, 8080)
    small.entries(layout.maps.flows).deleteMany([gone, reverse(gone)])
    run(small, [end])
    assertPairs(small, 2)
  })

  test(`a flood of unanswered connections displaces no established one (IPv${s.family})`, () => {
    small.reset()
    run(small, handshake(s))
    const before = flowKeys(small)
    for (let port = 2000; port < 2000 + EMBRYOS * 4; port++) {
      run(small, [delivered(s, 'podA', 'podB', tcp(port, 8080, 'S'))])
    }
    assert.deepEqual(flowKeys(small), before)
    assert.ok([...small.entries(layout.maps.embryos).entries()].length <= EMBRYOS)
    assert.deepEqual(drops(small), {})
    run(small, [delivered(s, 'podA', 'podB', tcp(1000, 8080))])
  })

  test(`a flood of SYNs, all answered, establishes none (IPv${s.family})`, () => {
    small.reset()
    run(small, handshake(s))
    const before = flowKeys(small)
    for (let port = 2000; port < 4000; port++) run(small, connection(s, port).slice(0, 2))
    assert.deepEqual(flowKeys(small), before)
    assert.deepEqual(drops(small), {})
    run(small, [
      delivered(s, 'podA', 'podB', tcp(1000, 8080)),
      delivered(s, 'podB', 'podA', tcp(8080, 1000)),
    ])
  })

  test(`an answer to half an embryo pair begins anew (IPv${s.family})`, () => {
    small.reset()
    const [syn, answer] = connection(s, 5)
    run(small, [syn])
    small.entries(layout.maps.embryos).deleteMany([tuple(s.podA, 5, s.podB, 8080)])
    run(small, [answer])
    assert.deepEqual(flowKeys(small), [])
  })
}

const TIMEOUTS = {
  embryoTimeout: 10,
  tcpTimeout: 1000,
  halfClosedTimeout: 60,
  closingTimeout: 20,
  udpTimeout: 100,
  icmpTimeout: 30,
  otherTimeout: 40,
}
const NO_COUNTS = {
  established: 0,
  closing: 0,
  udp: 0,
  icmp: 0,
  other: 0,
  embryos: 0,
  expired: 0,
}

const world = new World({ maxEntries: { flows: 1024, embryos: 1024 } })

/** Runs flow_gc as of `now`, in seconds of the coarse clock; 0 is the kernel's now. */
function collect(now: number): layout.Gc {
  const context = layout.gc.toBytes({ ...TIMEOUTS, ...NO_COUNTS, now })
  return layout.gc.fromBytes(world.program('flow_gc').testRun({ context }).context)
}

function counts({ established, closing, udp: udpPairs, embryos, expired }: layout.Gc) {
  return { established, closing, udp: udpPairs, embryos, expired }
}

const NOTHING = { established: 0, closing: 0, udp: 0, embryos: 0, expired: 0 }

const [side] = SIDES as [Side, Side]

function udpPair(s: Side): Step[] {
  return [delivered(s, 'podA', 'podB', udp(7, 8)), delivered(s, 'podB', 'podA', udp(8, 7))]
}

test('flow_gc counts pairs by state and deletes nothing that is fresh', () => {
  world.reset()
  run(world, [...handshake(side), ...connection(side, 2), ...udpPair(side)])
  run(world, [delivered(side, 'podA', 'podB', tcp(2, 8080, 'R'))])
  run(world, [delivered(side, 'podA', 'podB', tcp(77, 8080, 'S'))])
  const now = collect(0)
  assert.ok(now.now > 0)
  assert.deepEqual(counts(now), { established: 1, closing: 1, udp: 1, embryos: 2, expired: 0 })
  assertPairs(world, 3)
})

test('flow_gc deletes each kind whole after its own timeout', () => {
  world.reset()
  run(world, [...handshake(side), ...connection(side, 2), ...udpPair(side)])
  run(world, [delivered(side, 'podA', 'podB', tcp(2, 8080, 'R'))])
  run(world, [delivered(side, 'podA', 'podB', tcp(77, 8080, 'S'))])
  const { now } = collect(0)
  const left = { established: 1, closing: 1, udp: 1, embryos: 0, expired: 2 }
  assert.deepEqual(counts(collect(now + 15)), left)
  assert.deepEqual(counts(collect(now + 25)), { ...left, closing: 0 })
  assert.deepEqual(counts(collect(now + 105)), { ...left, closing: 0, udp: 0 })
  assertPairs(world, 1)
  assert.deepEqual(counts(collect(now + 1005)), { ...left, closing: 0, udp: 0, established: 0 })
  assertPairs(world, 0)
})

test('flow_gc gives a half-closed connection a time of its own, from its last packet', () => {
  world.reset()
  const fin = tcp(1000, 8080, 'FA')
  run(world, [...handshake(side), delivered(side, 'podA', 'podB', fin)])
  run(world, [delivered(side, 'podB', 'podA', tcp(8080, 1000))])
  const { now } = collect(0)
  assert.deepEqual(counts(collect(now + 55)), { ...NOTHING, closing: 1 })
  const flows = world.entries(layout.maps.flows)
  const key = tuple(side.podB, 8080, side.podA, 1000)
  const back = flows.get(key)
  assert.ok(back)
  flows.updateMany([[key, { ...back, lastSeen: now + 50 }]])
  assert.equal(collect(now + 105).expired, 0)
  assert.equal(collect(now + 115).expired, 2)
})

test('flow_gc lets a connection that both sides have closed go soon', () => {
  world.reset()
  run(world, [...handshake(side), delivered(side, 'podA', 'podB', tcp(1000, 8080, 'FA'))])
  run(world, [delivered(side, 'podB', 'podA', tcp(8080, 1000, 'FA'))])
  const { now } = collect(0)
  assert.deepEqual(counts(collect(now + 15)), { ...NOTHING, closing: 1 })
  assert.equal(collect(now + 25).expired, 2)
})

test('flow_gc keeps a pair of which only one half has been idle', () => {
  world.reset()
  run(world, handshake(side))
  const { now } = collect(0)
  const flows = world.entries(layout.maps.flows)
  const key = tuple(side.podA, 1000, side.podB, 8080)
  const flow = flows.get(key)
  assert.ok(flow)
  flows.updateMany([[key, { ...flow, lastSeen: now + 900 }]])
  assert.equal(collect(now + 1500).expired, 0)
  assertPairs(world, 1)
  assert.equal(collect(now + 2000).expired, 2)
})

test('flow_gc deletes a half that stays alone', () => {
  world.reset()
  run(world, handshake(side))
  world.entries(layout.maps.flows).deleteMany([tuple(side.podA, 1000, side.podB, 8080)])
  assert.equal(collect(0).expired, 0)
  const [entry] = [...world.entries(layout.maps.flows).entries()]
  assert.equal(collect((entry?.[1].lastSeen ?? 0) + 6).expired, 1)
  assertPairs(world, 0)
})

test('flow_purge ends the Service’s flows to a backend, answers on their way excepted', () => {
  for (const s of SIDES) {
    world.reset()
    for (const body of [udp(7, PORT.local), udp(9, PORT.local)]) {
      const { program, frame, on } = sent(s, 'podA', s.service, body)
      assert.equal(world.run(program, frame, on).action, 'REDIRECT')
    }
    run(world, [delivered(s, 'podA', 'podB', udp(11, PORT.target))])
    const id = serviceId(s, PORT.local, 17)
    const gone = { address: s.podB, port: PORT.target, serviceId: id }
    world.entries(layout.maps.ended).updateMany([[gone, 1]])
    const context = layout.purge.toBytes({ deleted: 0 })
    const answer = world.program('flow_purge').testRun({ context }).context
    world.entries(layout.maps.ended).deleteMany([gone])
    assert.equal(layout.purge.fromBytes(answer).deleted, 2)
    const left = [...world.entries(layout.maps.embryos).entries()].map(([, flow]) => flow)
    const forward = left.filter(({ flags }) => !(flags & layout.FlowFlags.REVERSE))
    assert.deepEqual(
      forward.map(({ serviceId }) => serviceId),
      [0],
    )
    const late = sent(s, 'podB', s.podA, udp(PORT.target, 7))
    const { action, frame } = world.run(late.program, late.frame, late.on)
    assert.equal(action, 'REDIRECT')
    assert.match(describeFrame(frame).join(' '), new RegExp(s.service))
  }
})
