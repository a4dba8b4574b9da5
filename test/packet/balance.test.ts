// Which backend a connection gets, and who may have one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import { PODS, ROUTED, sent } from '../support/connection.ts'
import { BOTH_HOOKS, type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, udp, WAY } from '../support/frames.ts'
import { asked, FRONT_PORT, frontRows, ID, OWN_PORT } from '../support/node-port.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, MAC, PORT, SIDES, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { SOURCE_RANGES, MAGLEV } = layout.ServiceFlags

const ADMITTED: readonly Fixture[] = [
  {
    name: 'source ranges let in who is in them',
    rows: (s) => ({
      ...frontRows(s, { backends: ['podB'], flags: SOURCE_RANGES }),
      sourceRanges: [[{ prefixLength: 32 + 128, serviceId: ID, address: s.world }, 1]],
    }),
    steps: (s) => [
      {
        ...asked(s),
        action: 'REDIRECT',
        out: frame(PODS.podB.into, s.world, s.podB, tcp(1000, PORT.target, 'S'), ROUTED),
      },
    ],
  },
  {
    name: 'the node’s own packets that ask for nothing pass untouched',
    rows: (s) => frontRows(s, { backends: ['podB'] }),
    steps: (s) => {
      const inwards = [tcp(1000, 22, 'S'), tcp(1000, 22), udp(1000, 53)]
      const outwards = [tcp(22, 1000, 'SA'), tcp(40000, 443, 'S'), udp(53, 1000)]
      return [
        ...inwards.map((body): Step => {
          const bytes = frame(WAY.fromPeer, s.world, s.node, body)
          return { ...asked(s, bytes), action: 'PASS' }
        }),
        ...outwards.map((body): Step => {
          const bytes = frame(WAY.fromPeer, s.node, s.world, body)
          return { program: 'to_uplink', on: IFINDEX.uplink, frame: bytes, action: 'PASS' }
        }),
      ]
    },
    flows: () => [],
    embryos: () => [],
  },
  {
    name: 'what the node asks a pod elsewhere directly is told from what it asks by a frontend',
    steps: (s) => {
      const macs = { sourceMac: MAC.uplink, destinationMac: MAC.peer }
      const leaving = (to: Address, port: number) => ({
        ...{ program: 'to_uplink', on: IFINDEX.uplink },
        frame: frame(macs, s.node, to, udp(1000, port)),
      })
      const answering = (port: number) =>
        asked(s, frame(WAY.fromPeer, s.neighbourPod, s.node, udp(PORT.target, port)))
      return [
        {
          ...leaving(s.service, PORT.neighbour),
          action: 'REDIRECT',
          out: frame(macs, s.node, s.neighbourPod, udp(OWN_PORT, PORT.target)),
        },
        { ...leaving(s.neighbourPod, PORT.target), action: 'PASS' },
        { ...answering(1000), action: 'PASS' },
        {
          ...answering(OWN_PORT),
          action: 'PASS',
          out: frame(WAY.fromPeer, s.service, s.node, udp(PORT.neighbour, 1000)),
        },
      ]
    },
  },
]

const world = new World({ config: { masqueradeFirst: OWN_PORT, masqueradeCount: 1 } })
runFixtures(world, ADMITTED, BOTH_HOOKS)

/** The backends that so many connections of pod A get, by their own hits. */
function connect(s: Side, from: number, to: number): string[] {
  const chosen = new Set<string>()
  for (let port = from; port < to; port++) {
    const { program, on, frame: bytes } = sent(s, 'podA', s.node, tcp(port, FRONT_PORT, 'S'))
    world.run(program, bytes, on)
  }
  for (const [key, { out }] of world.entries(layout.maps.embryos).entries()) {
    const isOurs = key.destinationPort === FRONT_PORT && key.sourcePort >= from
    if (isOurs && key.sourcePort < to) chosen.add(out.destination)
  }
  return [...chosen]
}

const MANY = ['podB', 'neighbourPod', 'overlayPod', 'routedPod'] as const

test('with affinity a client keeps its backend until that goes or the time is over', () => {
  for (const s of SIDES) {
    world.reset(frontRows(s, { backends: MANY, affinitySeconds: 1000 }))
    const [first, ...others] = connect(s, 1000, 1030)
    assert.deepEqual(others, [])
    const affinity = world.entries(layout.maps.affinity)
    assert.equal([...affinity.keys()].length, 1)
    // Another set that holds it in another slot; the client stays.
    const turned = [...MANY].reverse()
    swap(s, turned)
    assert.deepEqual(connect(s, 2000, 2030), [first])
    swap(
      s,
      turned.filter((name) => s[name] !== first),
    )
    const [second, ...more] = connect(s, 3000, 3030)
    assert.notEqual(second, first)
    assert.deepEqual(more, [])
    for (const [key, value] of [...affinity.entries()]) {
      affinity.updateMany([[key, { ...value, lastUsed: value.lastUsed - 1001 }]])
    }
    const left = new Set(
      Array.from({ length: 40 }, (_, at) => {
        for (const [key, value] of [...affinity.entries()]) {
          affinity.updateMany([[key, { ...value, lastUsed: value.lastUsed - 1001 }]])
        }
        return connect(s, 4000 + at, 4001 + at)[0]
      }),
    )
    assert.ok(left.size > 1, 'whose time is over is given any')
  }
})

let setId = 1000

/** As the agent does it: the new set whole, then the frontend. */
function swap(s: Side, names: readonly (keyof Side)[]): void {
  setId++
  const { backends = [], services = [] } = frontRows(s, { backends: names, affinitySeconds: 1000 })
  world
    .entries(layout.maps.backends)
    .updateMany(backends.map(([{ slot }, value]) => [{ setId, slot }, value] as const))
  const set = { id: setId, count: names.length }
  world
    .entries(layout.maps.services)
    .updateMany(services.map(([key, of]) => [key, { ...of, internal: set, external: set }]))
}

test('Maglev gives one tuple one backend whenever it is asked, and all backends their part', () => {
  for (const s of SIDES) {
    const choose = () => {
      world.reset(frontRows(s, { backends: MANY, flags: MAGLEV }))
      connect(s, 1000, 1200)
      const entries = [...world.entries(layout.maps.embryos).entries()]
      const ours = entries.filter(([{ destinationPort }]) => destinationPort === FRONT_PORT)
      return new Map(ours.map(([{ sourcePort }, { out }]) => [sourcePort, out.destination]))
    }
    const first = choose()
    assert.deepEqual([...choose()].sort(), [...first].sort())
    const shares = [...Map.groupBy(first.values(), (to) => to).values()]
    assert.equal(shares.length, MANY.length)
    for (const share of shares) assert.ok(share.length > 25, `${share.length} of 200`)
  }
})

test('each backend counts the connections it was given', () => {
  for (const s of SIDES) {
    world.reset(frontRows(s, { backends: MANY }))
    connect(s, 1000, 1100)
    const hits = [...world.entries(layout.maps.backends).entries()].map(([, value]) => value.hits)
    assert.equal(
      hits.reduce((sum, each) => sum + each, 0n),
      100n,
    )
  }
})

test('no new connection meets a missing backend while sets are swapped under it', () => {
  const [s] = SIDES as [Side, Side]
  world.reset(frontRows(s, { backends: MANY, affinitySeconds: 1000 }))
  for (let round = 0; round < 200; round++) {
    const before = setId
    swap(
      s,
      MANY.filter((_, at) => (round >> at) & 1 || at === round % MANY.length),
    )
    const { program, on, frame: bytes } = sent(s, 'podA', s.node, tcp(round + 1, FRONT_PORT, 'S'))
    assert.equal(world.run(program, bytes, on).action, 'REDIRECT')
    const old = MANY.map((_, slot) => ({ setId: before, slot }))
    world.entries(layout.maps.backends).deleteMany(old)
    const again = sent(s, 'podB', s.node, tcp(round + 1, FRONT_PORT, 'S'))
    assert.equal(world.run(again.program, again.frame, again.on).action, 'REDIRECT')
  }
})
