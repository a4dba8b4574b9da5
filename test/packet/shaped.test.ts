// A pod whose ingress is shaped is entered by the queue at the egress of its host end: its flows
// say so, and to_pod leaves alone what comes from there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import { delivered, handshake, PODS, pairAToB } from '../support/connection.ts'
import { type Fixture, runFixtures } from '../support/fixture.ts'
import { frame, tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import {
  createDevices,
  IFINDEX,
  type MapRows,
  SIDES,
  type Side,
  topologyRows,
} from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()
const world = new World()

const { SEEN_REPLY, SHAPED } = layout.FlowFlags
/** FORWARD_MARK of forward.h. */
const MARK = 0x77656972

/** The topology's endpoints, with pod B shaped. */
function shapedRows(s: Side): Pick<MapRows, 'endpoints'> {
  const endpoints = topologyRows().endpoints.map(([key, endpoint]) => {
    const flags = key.address === s.podB ? layout.EndpointFlags.SHAPED : 0
    return [key, { ...endpoint, flags }] as const
  })
  return { endpoints }
}

const FIXTURES: readonly Fixture[] = [
  {
    name: 'only the way into the shaped pod is by its queue',
    rows: shapedRows,
    steps: (s) => [
      ...handshake(s),
      delivered(s, 'podA', 'podB', tcp(1000, 8080)),
      delivered(s, 'podB', 'podA', tcp(8080, 1000)),
    ],
    flows: (s) => {
      const [forward, back] = pairAToB(s)
      return [{ ...forward, flags: SEEN_REPLY | SHAPED }, back]
    },
  },
  {
    name: 'a flow into a pod that is shaped no longer is decided again',
    rows: shapedRows,
    steps: (s) => [
      ...handshake(s),
      {
        ...delivered(s, 'podA', 'podB', tcp(1000, 8080)),
        before: (held) => {
          held.entries(layout.maps.endpoints).updateMany(topologyRows().endpoints)
          held.epoch = 2
        },
      },
    ],
    flows: (s) => {
      const [forward, back] = pairAToB(s)
      return [{ ...forward, epoch: 2 }, back]
    },
  },
]

runFixtures(world, FIXTURES)

for (const s of SIDES) {
  test(`to_pod leaves alone what comes out of the queue (IPv${s.family})`, () => {
    world.reset(shapedRows(s))
    const data = frame(PODS.podB.into, s.podA, s.podB, udp(1000, 53))
    const run = (mark: number) => {
      const context = new Uint8Array(192)
      const view = new DataView(context.buffer)
      view.setUint32(8, mark, true)
      view.setUint32(40, IFINDEX.podB, true)
      const result = world.program('to_pod').testRun({ data, context })
      const markAfter = new DataView(result.context.buffer).getUint32(8, true)
      return { ...result, markAfter }
    }
    const queued = run(MARK)
    assert.deepEqual([queued.returnValue, queued.markAfter], [0xffffffff, 0])
    assert.deepEqual(Buffer.from(queued.data), Buffer.from(data))
    assert.deepEqual([...world.entries(layout.maps.embryos).entries()], [], 'there was no walk')
    run(MARK + 1)
    assert.equal([...world.entries(layout.maps.embryos).entries()].length, 2)
  })
}
