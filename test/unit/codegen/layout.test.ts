// The layout that is read from BTF, and what is refused with which words.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBtf } from '../../../src/codegen/btf.ts'
import { btfHash, type Layout, readLayout } from '../../../src/codegen/layout.ts'
import { BtfBuilder, type MemberSpec } from '../../support/btf-builder.ts'
import { below, fuzzSeed, randomFrom } from '../../support/random.ts'

interface Ids {
  readonly u8: number
  readonly u16: number
  readonly be16: number
  readonly u32: number
  readonly u64: number
}

function start(): { btf: BtfBuilder; ids: Ids } {
  const btf = new BtfBuilder()
  const u8 = btf.typedef('__u8', btf.int('unsigned char', 1))
  const u16 = btf.typedef('__u16', btf.int('unsigned short', 2))
  const be16 = btf.typedef('__be16', u16)
  const u32 = btf.typedef('__u32', btf.int('unsigned int', 4))
  const u64 = btf.typedef('__u64', btf.int('unsigned long long', 8))
  return { btf, ids: { u8, u16, be16, u32, u64 } }
}

/** The layout of one global struct. */
function layoutOf(size: number, members: (btf: BtfBuilder, ids: Ids) => MemberSpec[]): Layout {
  const { btf, ids } = start()
  const struct = btf.struct('thing', size, members(btf, ids))
  btf.section('.rodata', [btf.variable('thing', btf.constant(struct))])
  return readLayout(parseBtf(btf.bytes()))
}

test('readLayout() takes byte order from the name of the typedef', () => {
  const layout = layoutOf(8, (_, { be16, u16, u32 }) => [
    { name: 'port', type: be16, offset: 0 },
    { name: 'id', type: u16, offset: 16 },
    { name: 'count', type: u32, offset: 32 },
  ])
  const int = { kind: 'int', signed: false } as const
  assert.deepEqual(layout.structs, [
    {
      name: 'thing',
      size: 8,
      fields: [
        { name: 'port', offset: 0, type: { ...int, size: 2, bigEndian: true } },
        { name: 'id', offset: 2, type: { ...int, size: 2, bigEndian: false } },
        { name: 'count', offset: 4, type: { ...int, size: 4, bigEndian: false } },
      ],
    },
  ])
  assert.deepEqual(layout.globals, [
    { name: 'thing', section: '.rodata', type: { kind: 'struct', name: 'thing', size: 8 } },
  ])
})

test('readLayout() refuses hidden bytes between fields', () => {
  const read = (): Layout =>
    layoutOf(8, (_, { u8, u32 }) => [
      { name: 'kind', type: u8, offset: 0 },
      { name: 'count', type: u32, offset: 32 },
    ])
  assert.throws(read, {
    message: 'Cannot encode thing: 3 hidden bytes before count, add an explicit pad',
  })
})

test('readLayout() refuses hidden bytes at the end', () => {
  const read = (): Layout =>
    layoutOf(8, (_, { u8, u32 }) => [
      { name: 'count', type: u32, offset: 0 },
      { name: 'kind', type: u8, offset: 32 },
    ])
  assert.throws(read, {
    message: 'Cannot encode thing: 3 hidden bytes at the end, add an explicit pad',
  })
})

test('readLayout() refuses unions and bit fields', () => {
  const union = (): Layout =>
    layoutOf(4, (btf, { u32 }) => {
      const inner = btf.struct('either', 4, [{ name: 'a', type: u32, offset: 0 }], { union: true })
      return [{ name: 'inner', type: inner, offset: 0 }]
    })
  assert.throws(union, { message: /^Cannot encode thing\.inner: union either has no fixed layout/ })
  const bits = (): Layout =>
    layoutOf(4, (btf, { u32 }) => [{ name: 'inner', type: btf.bitField('bits', u32), offset: 0 }])
  assert.throws(bits, { message: 'Cannot encode bits.bit: it is a bit field' })
})

function mapsAndExports(): BtfBuilder {
  const { btf, ids } = start()
  const key = btf.struct('port_key', 2, [{ name: 'port', type: ids.be16, offset: 0 }])
  const map = btf.map('ports', { type: 1, maxEntries: 77, key, value: ids.u32 })
  const reason = btf.enum('drop_reason', { DROP_NONE: 0, DROP_SHORT: 1 })
  const event = btf.struct('event', 8, [{ name: 'time', type: ids.u64, offset: 0 }])
  const exported = [btf.variable('exported_reason', reason), btf.variable('exported_event', event)]
  btf.section('.maps', [map])
  btf.section('.export', exported)
  return btf
}

test('readLayout() finds maps, and what section .export shows', () => {
  const layout = readLayout(parseBtf(mapsAndExports().bytes()))
  const [map] = layout.maps
  assert.deepEqual([map?.name, map?.type, map?.maxEntries], ['ports', 1, 77])
  assert.deepEqual(map?.key, { kind: 'struct', name: 'port_key', size: 2 })
  assert.deepEqual(
    layout.structs.map(({ name }) => name),
    ['event', 'port_key'],
  )
  assert.deepEqual(layout.globals, [])
  assert.deepEqual(layout.enums[0]?.values, [
    { name: 'DROP_NONE', value: 0 },
    { name: 'DROP_SHORT', value: 1 },
  ])
})

test('btfHash() changes with the layout and not with anything else', () => {
  const before = btfHash(mapsAndExports().bytes())
  const same = mapsAndExports()
  same.typedef('unrelated', same.int('long', 8))
  assert.equal(btfHash(same.bytes()), before)
  const other = mapsAndExports()
  other.section('.data.epoch', [other.variable('epoch', other.int('unsigned int', 4))])
  assert.notEqual(btfHash(other.bytes()), before)
})

test('parseBtf() answers damaged sections with an error', () => {
  assert.throws(() => parseBtf(new Uint8Array(3)), { message: /not a little-endian BTF/ })
  const bytes = mapsAndExports().bytes()
  assert.throws(() => parseBtf(bytes.subarray(0, bytes.length - 1)), { message: /shorter than/ })
  const seed = fuzzSeed()
  const random = randomFrom(seed)
  for (let round = 0; round < 2000; round++) {
    const damaged = bytes.slice()
    for (let n = 1 + below(random, 4); n > 0; n--)
      damaged[below(random, bytes.length)] = below(random, 256)
    try {
      readLayout(parseBtf(damaged))
    } catch (error) {
      assert.ok(error instanceof Error, `seed ${seed}`)
    }
  }
})
