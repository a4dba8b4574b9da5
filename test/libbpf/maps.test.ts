// Maps of each kind, through both engines.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { isBpffs, removePin } from '../../src/libbpf/bpffs.ts'
import type { MapType } from '../../src/libbpf/kinds.ts'
import { BpfMap, NO_PREALLOC } from '../../src/libbpf/map.ts'
import { libraries, mountScratchBpffs, scratch, toNumber, uint32, uint64 } from './workshop.ts'

const bpffs = mountScratchBpffs()

for (const library of libraries) {
  const { engine } = library
  const create = (type: MapType, maxEntries: number, flags = 0) =>
    BpfMap.create(library, { type, name: 'weir_t', keySize: 4, valueSize: 8, maxEntries, flags })

  test(`${engine}: a hash map keeps what is put into it`, () => {
    using map = create('hash', 8)
    const { type, keySize, valueSize, valueBytes, maxEntries, name } = map
    assert.deepEqual(
      { type, keySize, valueSize, valueBytes, maxEntries, name },
      { type: 'hash', keySize: 4, valueSize: 8, valueBytes: 8, maxEntries: 8, name: 'weir_t' },
    )
    assert.ok(map.id > 0)
    assert.equal(map.lookup(uint32(1)), undefined)
    map.update(uint32(1), uint64(10))
    map.update(uint32(1), uint64(11))
    assert.equal(toNumber(map.lookup(uint32(1))), 11)
    assert.equal(map.delete(uint32(1)), true)
    assert.equal(map.delete(uint32(1)), false)
    assert.deepEqual([...map.entries()], [])
  })

  test(`${engine}: what follows each other in one buffer is written, read and deleted`, () => {
    using map = create('hash', 8)
    const [keys, values] = [Buffer.concat([uint32(1), uint32(2)]), Buffer.alloc(16, uint64(7))]
    assert.equal(map.updatePacked(keys, values).size, 0)
    const read = () => map.lookupPacked(Buffer.concat([uint32(2), uint32(3), uint32(1)]))
    assert.deepEqual(
      read().map((value) => value && toNumber(value)),
      [7, undefined, 7],
    )
    map.deletePacked(keys)
    assert.deepEqual(read(), [undefined, undefined, undefined])
    assert.throws(() => map.updatePacked(keys, new Uint8Array(15)), RangeError)
    assert.throws(() => map.lookupPacked(new Uint8Array(5)), RangeError)
  })

  test(`${engine}: update() obeys its mode and names the map when it fails`, () => {
    using map = create('hash', 1)
    assert.throws(() => map.update(uint32(1), uint64(1), 'exist'), { code: 'ENOENT' })
    map.update(uint32(1), uint64(1), 'noexist')
    assert.throws(() => map.update(uint32(1), uint64(1), 'noexist'), {
      name: 'KernelError',
      code: 'EEXIST',
      operation: 'update',
      object: 'map weir_t',
      message: 'Cannot update map weir_t: file already exists (EEXIST)',
    })
    assert.throws(() => map.update(uint32(2), uint64(1)), {
      message: 'Cannot update map weir_t: map is full (1 entries) (E2BIG)',
    })
  })

  test(`${engine}: a key or value of the wrong size never reaches the kernel`, () => {
    using map = create('hash', 8)
    const message = 'Cannot use key of 3 bytes in map weir_t: it has 4 bytes'
    assert.throws(() => map.lookup(new Uint8Array(3)), { name: 'RangeError', message })
    assert.throws(() => map.update(uint32(1), new Uint8Array(7)), RangeError)
    assert.throws(() => map.updateMany([[new Uint8Array(5), uint64(1)]]), RangeError)
    assert.throws(() => map.deleteMany([new Uint8Array(1)]), RangeError)
  })

  test(`${engine}: views into larger buffers are read where they lie`, () => {
    using map = create('hash', 8)
    const bytes = Uint8Array.of(9, 9, 9, 9, 1, 0, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 9, 9)
    map.update(bytes.subarray(4, 8), bytes.subarray(8, 16))
    assert.equal(toNumber(map.lookup(uint32(1))), 42)
  })

  for (const type of ['hash', 'lru_hash', 'percpu_hash'] as const) {
    test(`${engine}: ${type}: thousands of entries in and out in batches`, () => {
      const count = 10_000
      using map = create(type, 2 * count)
      const stride = map.valueBytes
      const isPerCpu = type === 'percpu_hash'
      assert.equal(stride, isPerCpu ? 8 * map.possibleCpus : 8)
      const entries = Array.from({ length: count }, (_, i) => {
        return [uint32(i), Buffer.alloc(stride, uint64(i))] as const
      })
      assert.equal(map.updateMany(entries).size, 0)
      assert.equal([...map.entries()].length, count)
      for (const [key, value] of map.entries()) {
        assert.equal(Buffer.compare(value, Buffer.alloc(stride, uint64(toNumber(key)))), 0)
      }
      map.deleteMany(entries.filter((_, i) => i % 2 === 0).map(([key]) => key))
      assert.equal([...map.entries()].length, count / 2)
      map.deleteMany(entries.map(([key]) => key))
      assert.deepEqual([...map.entries()], [])
    })
  }

  test(`${engine}: an LPM trie takes batches and answers with the longest prefix`, () => {
    const facts = { type: 'lpm_trie', name: 'weir_t', flags: NO_PREALLOC } as const
    const sizes = { keySize: 8, valueSize: 8, maxEntries: 20_000 }
    using map = BpfMap.create(library, { ...facts, ...sizes })
    const entries = Array.from({ length: 10_000 }, (_, i) => [trieKey(i), uint64(i)] as const)
    assert.equal(map.updateMany(entries).size, 0)
    map.update(Uint8Array.of(8, 0, 0, 0, 10, 0, 0, 0), uint64(1234567))
    const seen = new Map([...map.entries()].map(([key, value]) => [String(key), toNumber(value)]))
    assert.equal(seen.size, entries.length + 1)
    assert.equal(seen.get(String(trieKey(77))), 77)
    assert.equal(toNumber(map.lookup(Uint8Array.of(32, 0, 0, 0, 10, 200, 0, 1))), 1234567)
    map.deleteMany(entries.map(([key]) => key))
    assert.equal([...map.entries()].length, 1)
  })

  test(`${engine}: an array has all its entries from the start`, () => {
    using map = create('array', 5)
    assert.equal(map.updateMany([[uint32(4), uint64(44)]]).size, 0)
    const seen = [...map.entries()].map((entry) => entry.map(toNumber))
    assert.deepEqual(seen, [
      [0, 0],
      [1, 0],
      [2, 0],
      [3, 0],
      [4, 44],
    ])
    assert.throws(() => map.delete(uint32(4)), { code: 'EINVAL' })
    assert.throws(() => map.update(uint32(5), uint64(0)), { code: 'E2BIG' })
  })

  test(`${engine}: a per-CPU array has one value per possible CPU`, () => {
    using map = create('percpu_array', 1)
    const values = Array.from({ length: map.possibleCpus }, (_, i) => uint64(i + 1))
    map.update(uint32(0), Buffer.concat(values))
    assert.deepEqual(Buffer.from(map.lookup(uint32(0)) ?? []), Buffer.concat(values))
    assert.equal([...map.entries()].length, 1)
  })

  test(`${engine}: updateMany() tells which entries failed and does the others`, () => {
    using map = create('hash', 100)
    const entries = Array.from({ length: 103 }, (_, i) => [uint32(i), uint64(i)] as const)
    const failures = map.updateMany([...entries, [uint32(5), uint64(500)]])
    assert.deepEqual([...failures.keys()], [100, 101, 102])
    assert.equal(failures.get(100)?.code, 'E2BIG')
    assert.match(failures.get(100)?.message ?? '', /map is full \(100 entries\)/)
    assert.equal(toNumber(map.lookup(uint32(5))), 500)
    assert.equal(map.updateMany([]).size, 0)
    map.deleteMany([])
  })

  test(`${engine}: entries() of an array survives a failing batch in its middle`, () => {
    using map = create('array', 4)
    const failures = map.updateMany([0, 9, 1, 8].map((i) => [uint32(i), uint64(i + 1)]))
    assert.deepEqual([...failures.keys()], [1, 3])
    assert.equal(toNumber(map.lookup(uint32(1))), 2)
  })

  test(`${engine}: a pinned map outlives its fd`, () => {
    assert.ok(isBpffs(bpffs) && !isBpffs(scratch))
    const path = join(bpffs, `map-${engine}`)
    const map = create('hash', 8)
    map.update(uint32(1), uint64(7))
    map.pin(path)
    assert.throws(() => map.pin(path), { code: 'EEXIST', message: /^Cannot pin map weir_t at/ })
    map.close()
    using again = BpfMap.openPinned(library, path)
    assert.equal(again.id, map.id)
    assert.equal(toNumber(again.lookup(uint32(1))), 7)
    assert.equal(removePin(path), true)
    assert.equal(removePin(path), false)
    assert.throws(() => BpfMap.openPinned(library, path), {
      code: 'ENOENT',
      message: `Cannot open pin ${path}: no such file or directory (ENOENT)`,
    })
  })

  test(`${engine}: create() says why the kernel refuses`, () => {
    assert.throws(() => create('hash', 0), { code: 'EINVAL', object: 'map weir_t' })
    assert.throws(() => create('lpm_trie', 8), { code: 'EINVAL' })
  })
}

/** /32 of a number; tries compare from the first byte on. */
function trieKey(i: number): Uint8Array {
  return Uint8Array.of(32, 0, 0, 0, 10, i >> 16, (i >> 8) & 255, i & 255)
}
