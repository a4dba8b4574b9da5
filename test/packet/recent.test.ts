// What is remembered of connections that are in no flow table: what policy refused, and what ended.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import type { Body } from '../../src/net/packet.ts'
import { handshake, pairAToB, sent, tuple } from '../support/connection.ts'
import { tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { enforce, entry } from '../support/policy-rows.ts'
import { ID, intoB, outOfA, wishOf } from '../support/policy-steps.ts'
import { createDevices, PORT, SIDES, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()
const world = new World({ maxEntries: { flows: 1024, embryos: 1024 } })

function send(s: Side, to: Address, body: Body): string {
  const { program, frame, on } = sent(s, 'podA', to, body)
  return world.run(program, frame, on).action
}

/** "10.0.1.6 8080 6", and what is remembered of the connection from pod A. */
function remembered(): Map<string, layout.Recent> {
  const entries = [...world.entries(layout.maps.recent).entries()]
  return new Map(
    entries.map(([{ source, destination, port, protocol }, value]) => [
      `${source} > ${destination} ${port} ${protocol}`,
      value,
    ]),
  )
}

function denials(): Record<string, number> {
  return Object.fromEntries([...remembered()].map(([key, { denied }]) => [key, denied]))
}

/** As of so many seconds after the kernel's now. */
function collect(later: number): void {
  const timeouts = { embryoTimeout: 1, tcpTimeout: 1, halfClosedTimeout: 1, closingTimeout: 1 }
  const others = { udpTimeout: 1, icmpTimeout: 1, otherTimeout: 1 }
  const counts = { established: 0, closing: 0, udp: 0, icmp: 0, other: 0, embryos: 0, expired: 0 }
  const now = process.hrtime()[0] + later
  const context = layout.gc.toBytes({ ...timeouts, ...others, ...counts, now })
  world.program('flow_gc').testRun({ context })
}

for (const s of SIDES) {
  const key = (to: Address, port: number, protocol = 6) => `${s.podA} > ${to} ${port} ${protocol}`

  test(`what policy refuses is counted by connection, whatever its port (IPv${s.family})`, () => {
    world.reset()
    enforce(world, wishOf(s, intoB([])(s)))
    for (const port of [1000, 1001, 1002]) assert.equal(send(s, s.podB, tcp(port, 80, 'S')), 'SHOT')
    assert.equal(send(s, s.podB, udp(1000, 80)), 'SHOT')
    assert.deepEqual(denials(), { [key(s.podB, 80)]: 3, [key(s.podB, 80, 17)]: 1 })
    const { lastDenied = 0, lastSeen } = remembered().get(key(s.podB, 80)) ?? {}
    assert.ok(process.hrtime()[0] - lastDenied <= 1, `${lastDenied}`)
    assert.equal(lastSeen, 0)
  })

  test(`through a Service it is the pod behind that was refused (IPv${s.family})`, () => {
    world.reset()
    enforce(world, wishOf(s, outOfA([])(s)))
    assert.equal(send(s, s.service, udp(1000, PORT.local)), 'SHOT')
    assert.deepEqual(denials(), { [key(s.podB, PORT.target, 17)]: 1 })
  })

  test(`a connection that ends by a change was refused, from both sides (IPv${s.family})`, () => {
    world.reset()
    for (const { program, frame, on } of handshake(s)) world.run(program, frame, on)
    enforce(world, wishOf(s, intoB([])(s)))
    world.epoch = 2
    assert.equal(send(s, s.podB, tcp(1000, 8080)), 'SHOT')
    const answer = sent(s, 'podB', s.podA, tcp(8080, 1000))
    assert.equal(world.run(answer.program, answer.frame, answer.on).action, 'SHOT')
    assert.deepEqual(denials(), { [key(s.podB, 8080)]: 2 })
  })

  test(`what is allowed is not remembered before it has ended (IPv${s.family})`, () => {
    world.reset()
    enforce(world, wishOf(s, intoB([entry(ID.a)])(s)))
    for (const { program, frame, on } of handshake(s)) world.run(program, frame, on)
    collect(0)
    assert.deepEqual([...remembered()], [])
    const seen = world.entries(layout.maps.flows).get(tuple(s.podA, 1000, s.podB, 8080))?.lastSeen
    collect(10)
    assert.deepEqual(
      [...remembered()],
      [[key(s.podB, 8080), { denied: 0, lastDenied: 0, lastSeen: seen }]],
    )
  })

  test(`nothing is remembered of what only passes through the node (IPv${s.family})`, () => {
    world.reset()
    const [forward, back] = pairAToB(s).map(({ key: of, out, flags }) => {
      const elsewhere = (address: Address): Address => (address === s.podA ? s.world : s.overlayPod)
      const moved = (each: layout.Tuple): layout.Tuple => ({
        ...each,
        source: elsewhere(each.source),
        destination: elsewhere(each.destination),
      })
      return [moved(of), { ...BLANK, out: moved(out), flags: flags ?? 0 }] as const
    }) as [readonly [layout.Tuple, layout.Flow], readonly [layout.Tuple, layout.Flow]]
    world.entries(layout.maps.flows).updateMany([forward, back])
    collect(10)
    assert.equal([...world.entries(layout.maps.flows).keys()].length, 0)
    assert.deepEqual([...remembered()], [])
  })
}

const BLANK = layout.flow.fromBytes(new Uint8Array(layout.flow.size))

test('of more connections than there is room for, the oldest are forgotten', () => {
  const small = new World({ maxEntries: { recent: 256 } })
  const [s] = SIDES as [Side]
  small.reset()
  enforce(small, wishOf(s, intoB([])(s)))
  for (let port = 1; port <= 2000; port++) {
    const { program, frame, on } = sent(s, 'podA', s.podB, tcp(1000, port, 'S'))
    assert.equal(small.run(program, frame, on).action, 'SHOT')
  }
  const ports = [...small.entries(layout.maps.recent).keys()].map(({ port }) => port)
  assert.ok(ports.includes(2000) && !ports.includes(1) && ports.length <= 256, `${ports.length}`)
  small.close()
})
