// Objects and programs, from the file to a run, through both engines.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { VerifierError } from '../../src/libbpf/errors.ts'
import { BpfMap } from '../../src/libbpf/map.ts'
import { BpfObject } from '../../src/libbpf/object.ts'
import { enableStats, Program } from '../../src/libbpf/program.ts'
import {
  libraries,
  loadObject,
  mountScratchBpffs,
  objectPath,
  scratch,
  toNumber,
  uint32,
} from './workshop.ts'

const MAP = 'a_name_longer_than_15'
const bpffs = mountScratchBpffs()

for (const library of libraries) {
  const { engine } = library
  const open = () => BpfObject.open(library, objectPath)

  test(`${engine}: open() reads the specs without loading`, () => {
    using object = open()
    assert.deepEqual(
      object.maps.map(({ name, type, isSection }) => [name, type, isSection]),
      [
        [MAP, 'hash', false],
        ['ring', 'ringbuf', false],
        ['.rodata', 'array', true],
        ['.data.epoch', 'array', true],
      ],
    )
    const [map] = object.maps
    assert.deepEqual([map?.keySize, map?.valueSize, map?.maxEntries, map?.flags], [4, 8, 16, 0])
    const sections = Object.fromEntries(object.programs.map(({ name, section }) => [name, section]))
    assert.equal(sections['count'], 'tc')
    assert.equal(sections['refuse'], 'cgroup/connect4')
    assert.equal(Buffer.from(object.btf()).readUInt16LE(), 0xeb9f)
    assert.throws(() => object.map(MAP), { code: 'EBADF', message: /^Cannot open map/ })
    assert.throws(() => object.map('absent'), /Cannot find map absent: object .* has no such map/)
    assert.throws(() => object.program('absent'), { code: 'ENOENT' })
  })

  test(`${engine}: data, sizes and reused maps are set between open and load`, () => {
    using mine = BpfMap.create(library, {
      ...{ type: 'hash', name: 'weir_mine', keySize: 4, valueSize: 8, maxEntries: 99 },
    })
    using object = open()
    assert.deepEqual(object.initialData('.rodata').length, 8)
    assert.equal(toNumber(object.initialData('.data.epoch')), 7)
    object.setData('.rodata', Buffer.concat([uint32(5), uint32(2)]))
    object.setData('.data.epoch', uint32(1000))
    assert.throws(() => object.setData('.rodata', uint32(5)), {
      code: 'EINVAL',
      message: /^Cannot set 4 initial bytes of map \.rodata/,
    })
    object.setMaxEntries('ring', 8192)
    object.reuseMap(MAP, mine.fd)
    object.load()
    using program = object.program('count')
    const run = () => program.testRun({ data: new Uint8Array(64), context: new Uint8Array(192) })
    // Not `repeat: 3`: between repetitions the kernel gives up when a signal waits (EINTR).
    run()
    run()
    const { returnValue, context } = run()
    assert.equal(returnValue, 2)
    assert.equal(Buffer.from(context).readUInt32LE(8), 1000, 'mark, from .data.epoch')
    assert.equal(toNumber(mine.lookup(uint32(1))), 15)
    using reused = object.map(MAP)
    assert.equal(reused.id, mine.id)
    using ring = object.map('ring')
    assert.equal(ring.maxEntries, 8192)
    using epoch = object.map('.data.epoch')
    epoch.update(uint32(0), uint32(77))
    const again = run()
    assert.equal(Buffer.from(again.context).readUInt32LE(8), 77)
    assert.throws(() => object.setMaxEntries('ring', 4096), { code: 'EBUSY' })
  })

  test(`${engine}: reuseMap() refuses a map of other sizes and says which`, () => {
    using other = BpfMap.create(library, {
      ...{ type: 'hash', name: 'weir_other', keySize: 8, valueSize: 8, maxEntries: 16 },
    })
    using object = open()
    assert.throws(() => object.reuseMap(MAP, other.fd), {
      message: `Cannot reuse map ${MAP}: keySize is 8, the object wants 4`,
    })
  })

  test(`${engine}: load() throws a VerifierError with the whole log`, () => {
    using object = open()
    object.setAutoload('refused', true)
    assert.throws(
      () => object.load(),
      (error) => {
        assert.ok(error instanceof VerifierError)
        assert.equal(error.program, 'refused')
        assert.equal(error.code, 'EACCES')
        assert.match(error.message, /^Cannot load program refused: .*invalid mem access/s)
        assert.match(error.log, /BEGIN PROG LOAD LOG.*0: R1=ctx.*invalid mem access/s)
        return true
      },
    )
    using good = loadObject(library)
    assert.throws(() => good.program('refused'), /Cannot open program refused/)
  })

  test(`${engine}: open() says what is wrong with the file`, () => {
    const garbage = join(scratch, 'garbage.o')
    writeFileSync(garbage, 'not an object')
    assert.throws(() => BpfObject.open(library, garbage), /not a proper ELF object/)
    const absent = join(scratch, 'absent.o')
    assert.throws(() => BpfObject.open(library, absent), { code: 'ENOENT' })
  })

  test(`${engine}: a closed object is refused, its maps and programs live on`, () => {
    const object = loadObject(library)
    using map = object.map(MAP)
    using program = object.program('count')
    object.close()
    object.close()
    assert.throws(() => object.map(MAP), /Cannot use object .*: it is closed/)
    program.testRun({ data: new Uint8Array(64) })
    assert.equal(toNumber(map.lookup(uint32(1))), 1)
  })

  test(`${engine}: a program tells its facts and its run time`, () => {
    using object = loadObject(library)
    using program = object.program('count')
    assert.equal(program.type, 'sched_cls')
    assert.equal(program.name, 'count')
    assert.match(program.tag, /^[0-9a-f]{16}$/)
    assert.ok(program.verifiedInstructions > 10)
    assert.ok(program.jitedBytes > 0)
    {
      using _ = enableStats(library)
      program.testRun({ data: new Uint8Array(64), repeat: 1000 })
      const { runs, timeNs } = program.runTime()
      assert.ok(runs >= 1000 && timeNs > 0n)
    }
    using byId = Program.openId(library, program.id)
    assert.equal(byId.tag, program.tag)
    assert.throws(() => Program.openId(library, 0xffffff), { code: 'ENOENT' })
  })

  test(`${engine}: testRun() returns the packet as the program left it`, () => {
    using object = loadObject(library)
    using shrink = object.program('shrink')
    const data = Uint8Array.from({ length: 64 }, (_, i) => i)
    const result = shrink.testRun({ data })
    assert.equal(result.returnValue, 0)
    assert.deepEqual([...result.data], [...data.subarray(0, 20)])
    using pass = object.program('pass')
    const passed = pass.testRun({ data })
    assert.equal(passed.returnValue, 2)
    assert.deepEqual([...passed.data], [...data])
    assert.throws(() => shrink.testRun({ data: new Uint8Array(3) }), {
      code: 'EINVAL',
      object: 'program shrink',
    })
  })

  test(`${engine}: a syscall program writes its context in place`, () => {
    using object = loadObject(library)
    using emit = object.program('emit')
    assert.equal(emit.type, 'syscall')
    const given = Buffer.concat([uint32(40_000), uint32(64), uint32(0)])
    const { context } = emit.testRun({ context: given })
    assert.ok(Buffer.from(context).readUInt32LE(8) > 0, 'nobody reads the ring: records are lost')
    assert.equal(given.readUInt32LE(8), 0, 'the caller keeps its bytes')
  })

  test(`${engine}: a pinned program outlives its object`, () => {
    const path = join(bpffs, `program-${engine}`)
    {
      using object = loadObject(library)
      using program = object.program('count')
      program.pin(path)
    }
    using program = Program.openPinned(library, path)
    assert.equal(program.testRun({ data: new Uint8Array(64) }).returnValue, 0)
  })
}
