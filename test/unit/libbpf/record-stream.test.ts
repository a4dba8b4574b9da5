// Cutting the ring buffer's stream, and the names of errors, without a kernel.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { elfSection } from '../../../src/libbpf/elf.ts'
import { describeErrno, KernelError, VerifierError } from '../../../src/libbpf/errors.ts'
import { RecordStream } from '../../../src/libbpf/ring-buffer.ts'
import { randomFrom } from '../../support/random.ts'

function frame(record: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(record.length)
  return Buffer.concat([length, record])
}

test('RecordStream gives the same records however the stream is cut', () => {
  const random = randomFrom(1)
  const records = Array.from({ length: 500 }, (_, i) => Buffer.alloc(Math.floor(random() * 200), i))
  const stream = Buffer.concat(records.map(frame))
  for (const longest of [1, 3, 64, 1000, stream.length]) {
    const reader = new RecordStream()
    const seen: Uint8Array[] = []
    for (let at = 0; at < stream.length; ) {
      const size = 1 + Math.floor(random() * longest)
      seen.push(...reader.push(stream.subarray(at, at + size)).map((each) => Uint8Array.from(each)))
      at += size
    }
    assert.equal(seen.length, records.length)
    seen.forEach((record, i) => {
      assert.equal(Buffer.compare(record, records[i] ?? Buffer.alloc(0)), 0)
    })
  }
})

test('describeErrno() names what libc, the kernel and libbpf answer', () => {
  assert.deepEqual(describeErrno(2), ['ENOENT', 'no such file or directory'])
  assert.equal(describeErrno(67)[0], 'ENOLINK')
  assert.equal(describeErrno(524)[0], 'ENOTSUPP')
  assert.equal(describeErrno(95)[0], 'EOPNOTSUPP')
  assert.equal(describeErrno(33)[0], 'EDOM')
  assert.deepEqual(describeErrno(9999), ['errno 9999', 'the kernel refused'])
})

test('a VerifierError shows the end of the verifier’s part, and keeps all in log', () => {
  const lines = Array.from({ length: 1000 }, (_, i) => `${i}: (b7) r0 = 0`)
  const log = [
    "libbpf: prog 'p': BPF program load failed: Permission denied",
    "libbpf: prog 'p': -- BEGIN PROG LOAD LOG --",
    ...lines,
    'R1 invalid mem access',
    '-- END PROG LOAD LOG --',
    "libbpf: failed to load object 'x.o'",
  ].join('\n')
  const error = new VerifierError({
    ...{ errno: 13, operation: 'load', object: 'program p', program: 'p', log },
  })
  assert.ok(error instanceof KernelError)
  assert.match(error.message, /^Cannot load program p: 995: .*R1 invalid mem access \(EACCES\)$/s)
  assert.equal(error.log, log)
  assert.ok(!Object.keys(error).includes('log'))
})

test('elfSection() refuses what is no ELF file', () => {
  assert.throws(() => elfSection(Buffer.alloc(100), '.BTF'), /Cannot read ELF file/)
  assert.throws(() => elfSection(Buffer.alloc(3), '.BTF'), /Cannot read ELF file/)
})
