// The sender and the sinks of `weir bench nodeport`: frames are right whoever seems to send them,
// and a question is answered as by a server.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { casesOf } from '../../src/bench/nodeport/cases.ts'
import { builtObject } from '../../src/lab/paths.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { BpfObject } from '../../src/libbpf/object.ts'
import { parseAddress } from '../../src/net/address.ts'
import { parseMac } from '../../src/net/mac.ts'
import { describeFrame, frameFaults } from '../support/packet.ts'

const object = BpfObject.open(openLibrary(), builtObject('volley'))
object.load()
after(() => object.close())

const TARGET = {
  kind: 'weir-tc',
  mac: parseMac('02:00:00:00:00:01'),
  addresses: ['192.168.60.11', 'fd00:192:168:60::11'].map(parseAddress),
} as const
const CASES = casesOf(TARGET, 0, parseMac('02:00:00:00:00:02'))
const [TC_NEXT, TC_SHOT, REDIRECT] = [4_294_967_295, 2, 7]
const [XDP_DROP, XDP_PASS, XDP_TX] = [1, 2, 3]
const bytesOf = (frame: string) => new Uint8Array(Buffer.from(frame, 'hex'))

test('every sender has a frame of its own, and each is right', () => {
  const program = object.program('volley')
  const volleys = object.map('volleys')
  for (const { line, load } of CASES) {
    const value = Buffer.alloc(volleys.valueSize)
    value.write(load.frame, 'hex')
    // As of the last port of an address on: the next sender has the next address.
    for (const [at, fact] of [1, 70_000, 32_767].entries()) value.writeUInt32LE(fact, 80 + 4 * at)
    volleys.update(new Uint8Array(4), value)
    const frames = [1, 2].map(() => program.testRun({ data: bytesOf(load.frame) }).data)
    for (const frame of frames) assert.deepEqual(frameFaults(frame), [], line)
    const [first = [], second = []] = frames.map(describeFrame)
    assert.notDeepEqual(first, second)
    assert.notDeepEqual(first, describeFrame(bytesOf(load.frame)))
  }
})

test('a question is answered by both sinks: a SYN by SYN and ACK, a datagram alike', () => {
  for (const { line, opening } of CASES) {
    const [question] = opening
    if (!question) continue
    const asked = bytesOf(question.frame)
    for (const [name, verdict] of Object.entries({ sink: REDIRECT, sink_xdp: XDP_TX })) {
      const { returnValue, data } = object.program(name).testRun({ data: asked })
      assert.equal(returnValue, verdict, line)
      assert.deepEqual(frameFaults(data), [], line)
      assert.deepEqual(describeFrame(data), answerTo(describeFrame(asked)), line)
    }
  }
})

/** The question in words, turned round. */
function answerTo([ethernet = '', ip = '', transport = '']: readonly string[]): string[] {
  const turned = (text: string) => text.replace(/(\S+) > (\S+)/, '$2 > $1')
  const length = (/payload (\S*)/.exec(transport)?.[1] ?? '').length / 2
  const answered = transport
    .replace('S seq 1000 ack 0', `SA seq 1000 ack ${1001 + length}`)
    .replace('57454953', '57454954')
  return [turned(ethernet), turned(ip), turned(answered)]
}

test('the load is counted and goes no further; what is none of it passes', () => {
  const verdicts = (data: Uint8Array) =>
    ['sink', 'sink_xdp'].map((name) => object.program(name).testRun({ data }).returnValue)
  for (const { load } of CASES) {
    const frame = bytesOf(load.frame)
    const before = counted()
    assert.deepEqual(verdicts(frame), [TC_SHOT, XDP_DROP])
    assert.equal(counted(), before + 2)
    assert.deepEqual(verdicts(frame.with(-1, 0)), [TC_NEXT, XDP_PASS])
    assert.equal(counted(), before + 2)
  }
})

function counted(): number {
  const value = object.map('arrived').lookup(new Uint8Array(4)) ?? new Uint8Array(8)
  return Number(Buffer.from(value).readBigUInt64LE())
}
