// Frames that nobody should send, into every program: there is always a verdict, a drop is counted
// exactly once, and a right frame comes out right. Set SEED to repeat a run.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat } from '../../src/net/bytes.ts'
import { ETHERNET_BYTES, ETHERTYPE } from '../../src/net/ethernet.ts'
import { corpus } from '../support/corpus.ts'
import { drops } from '../support/fixture.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { describeFrame, frameFaults } from '../support/packet.ts'
import { below, bytes, fuzzSeed, pick, randomFrom } from '../support/random.ts'
import { createDevices, IFINDEX } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()
const world = new World()
const seed = fuzzSeed()
const frames = corpus()

const HOOKS = [
  { program: 'from_pod', on: IFINDEX.podA },
  { program: 'to_pod', on: IFINDEX.podA },
  { program: 'from_uplink', on: IFINDEX.uplink },
  { program: 'from_host', on: IFINDEX.host },
  { program: 'from_overlay', on: IFINDEX.overlay },
] as const

/** BPF_PROG_TEST_RUN refuses IP packets shorter than their fixed header (EINVAL; Linux 6.18). */
function canRun(frame: Uint8Array): boolean {
  const type = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0)
  if (type === ETHERTYPE.ipv4) return frame.length >= ETHERNET_BYTES + 20
  if (type === ETHERTYPE.ipv6) return frame.length >= ETHERNET_BYTES + 40
  return frame.length >= ETHERNET_BYTES
}

function dropCount(): number {
  return Object.values(drops(world)).reduce((sum, count) => sum + count, 0)
}

/** Runs the frame and looks at what comes out; undefined when the kernel does not take it. */
function run(hook: (typeof HOOKS)[number], frame: Uint8Array, where: string): string | undefined {
  if (!canRun(frame)) return undefined
  const { action, frame: out } = world.run(hook.program, frame, hook.on)
  const what = `${where}, ${hook.program}, ${Buffer.from(frame).toString('hex')}`
  assert.ok(['PASS', 'SHOT', 'REDIRECT'].includes(action), `${action}: ${what}`)
  if (action !== 'SHOT' && frameFaults(frame).length === 0) {
    assert.deepEqual(frameFaults(out), [], `${what}\n${describeFrame(out).join('\n')}`)
  }
  return action
}

/** Runs the frame; `before` are the drops so far, the answer those after it. */
function check(
  hook: (typeof HOOKS)[number],
  frame: Uint8Array,
  before: number,
  where: string,
): number {
  const action = run(hook, frame, where)
  const dropped = dropCount() - before
  if (action === 'SHOT') assert.equal(dropped, 1, `counted once: ${where}, ${hook.program}`)
  else assert.ok(dropped <= (action === 'REDIRECT' ? 1 : 0), `not dropped: ${where}`)
  return before + dropped
}

for (const hook of HOOKS) {
  test(`${hook.program} gives a verdict for right frames and every truncation of them`, () => {
    world.reset()
    for (const [index, frame] of frames.entries()) {
      const before = dropCount()
      const actions: string[] = []
      for (let length = frame.length; length >= ETHERNET_BYTES; length--) {
        const action = run(hook, frame.slice(0, length), `frame ${index} cut to ${length}`)
        if (action) actions.push(action)
      }
      // Counters are read once a frame: a redirect may be an answer to a drop, and is counted too.
      const dropped = dropCount() - before
      const silent = actions.filter((action) => action === 'SHOT').length
      const answered = actions.filter((action) => action === 'REDIRECT').length
      assert.ok(dropped >= silent && dropped <= silent + answered, `drops of frame ${index}`)
    }
  })

  test(`${hook.program} gives a verdict for mutated frames`, () => {
    world.reset()
    const random = randomFrom(seed)
    let count = dropCount()
    for (let round = 0; round < 2000; round++) {
      const frame = mutate(random, pick(random, frames))
      count = check(hook, frame, count, `seed ${seed}, round ${round}`)
    }
  })

  test(`${hook.program} gives a verdict for random bytes`, () => {
    world.reset()
    const random = randomFrom(seed)
    let count = dropCount()
    for (let round = 0; round < 1000; round++) {
      const type = pick(random, [0x0800, 0x86dd, 0x0806, below(random, 65536)])
      const rest = bytes(random, below(random, 200))
      const frame = concat(bytes(random, 12), Uint8Array.of(type >> 8, type & 255), rest)
      count = check(hook, frame, count, `seed ${seed}, round ${round}`)
    }
  })
}

/** Flips, truncations, insertions, and values that parsers trip over. */
function mutate(random: () => number, original: Uint8Array): Uint8Array {
  let frame = original.slice()
  for (let n = 1 + below(random, 4); n > 0; n--) {
    const at = below(random, frame.length)
    switch (below(random, 5)) {
      case 0:
        frame[at] = below(random, 256)
        break
      case 1:
        frame[at] = (frame[at] ?? 0) ^ (1 << below(random, 8))
        break
      case 2:
        frame[at] = pick(random, [0, 1, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0xff])
        break
      case 3:
        frame = frame.slice(0, Math.max(ETHERNET_BYTES, at))
        break
      default:
        frame = concat(frame.slice(0, at), bytes(random, below(random, 20)), frame.slice(at))
    }
  }
  return frame.length < ETHERNET_BYTES ? original : frame
}
