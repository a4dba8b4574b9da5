// The moment in which a pair moves from `embryos` to `flows`, as packets of the same connection on
// another CPU meet it: they follow the pair, wherever it is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sent } from '../support/connection.ts'
import { frame, tcp, WAY } from '../support/frames.ts'
import { meet } from '../support/meeting.ts'
import { asked, FRONT_PORT, frontRows } from '../support/node-port.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, PORT, SIDES, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const CONNECTIONS = 3000
const world = new World()

const ask = (s: Side, port: number, flags: string) =>
  asked(s, frame(WAY.fromPeer, s.world, s.node, tcp(port, FRONT_PORT, flags)))

for (const s of SIDES) {
  test(`an ACK and the data behind it on another CPU both arrive (IPv${s.family})`, async () => {
    world.reset(frontRows(s, { backends: ['podB'] }))
    const ports = Array.from({ length: CONNECTIONS }, (_, at) => 1024 + at)
    for (const port of ports) {
      const syn = ask(s, port, 'S')
      world.run(syn.program, syn.frame, syn.on)
      const answer = sent(s, 'podB', s.world, tcp(PORT.target, port, 'SA'))
      world.run(answer.program, answer.frame, answer.on)
    }
    const verdicts = await meet(
      world,
      ports.map((port) => [ask(s, port, 'A'), ask(s, port, 'PA')]),
    )
    const lost = verdicts.flat().filter((verdict) => verdict !== 'REDIRECT')
    assert.deepEqual(lost, [])
  })
}
