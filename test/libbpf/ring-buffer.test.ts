// Ring buffers, drained by a native thread, through both engines.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Library } from '../../src/libbpf/library.ts'
import { RingBuffer } from '../../src/libbpf/ring-buffer.ts'
import { libraries, loadObject, uint32 } from './workshop.ts'

/** An emitter of records into a ring of 1 MiB. */
function setUp(library: Library) {
  using object = loadObject(library)
  const program = object.program('emit')
  const ring = object.map('ring')
  /** Answers how many records were lost. */
  const emit = (count: number, size: 8 | 64): number => {
    const { context } = program.testRun({
      context: Buffer.concat([uint32(count), uint32(size), uint32(0)]),
    })
    return Buffer.from(context).readUInt32LE(8)
  }
  return { ring, emit }
}

/** Resolves when the condition holds; the test's own timeout is the limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2)
}

for (const library of libraries) {
  const { engine } = library

  test(`${engine}: thousands of records of mixed sizes arrive whole and in order`, async () => {
    const { ring, emit } = setUp(library)
    const received: Uint8Array[] = []
    let batches = 0
    using _reader = new RingBuffer(library, ring, (records) => {
      batches++
      for (const record of records) received.push(Uint8Array.from(record))
    })
    const rounds = [
      [5000, 8],
      [3000, 64],
      [1, 8],
      [5000, 64],
    ] as const
    let expected = 0
    for (const [count, size] of rounds) {
      assert.equal(emit(count, size), 0, 'no record is lost')
      expected += count
      await until(() => received.length >= expected)
    }
    assert.ok(batches < expected / 10, `${batches} batches`)
    let at = 0
    for (const [count, size] of rounds) {
      for (let i = 0; i < count; i++) {
        const record = Buffer.from(received[at++] ?? [])
        assert.equal(record.length, size)
        assert.equal(record.readBigUInt64LE(0), BigInt(i))
        if (size === 64) assert.equal(record.readBigInt64LE(56), ~BigInt(i))
      }
    }
    assert.equal(received.length, at)
  })

  test(`${engine}: what a slow reader cannot take is lost at the writer, and counted`, async () => {
    const { ring, emit } = setUp(library)
    let received = 0
    using _reader = new RingBuffer(library, ring, (records) => {
      received += records.length
    })
    const count = 200_000
    // The event loop is blocked by the call itself, so ring and socket must fill up.
    const lost = emit(count, 64)
    assert.ok(lost > 0 && lost < count, `lost ${lost}`)
    await until(() => received >= count - lost)
    assert.equal(emit(10, 8), 0)
    await until(() => received === count - lost + 10)
  })

  test(`${engine}: close() ends the native thread, also one with records to send`, async () => {
    const { ring, emit } = setUp(library)
    const before = ringThreads()
    const reader = new RingBuffer(library, ring, () => assert.fail('closed before anything came'))
    assert.equal(ringThreads(), before + 1)
    emit(100_000, 64)
    reader.close()
    await until(() => ringThreads() === before)
  })

  test(`${engine}: a map that is no ring buffer is refused`, () => {
    using object = loadObject(library)
    using map = object.map('a_name_longer_than_15')
    assert.throws(() => new RingBuffer(library, map, () => undefined), {
      code: 'EINVAL',
      message: /^Cannot read ring buffer a_name_longer_than_15/,
    })
  })
}

function ringThreads(): number {
  const names = readdirSync('/proc/self/task').map((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()
    } catch {
      return ''
    }
  })
  return names.filter((name) => name === 'weir-ring').length
}
