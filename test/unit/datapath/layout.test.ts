// Every generated codec: what is encoded decodes to the same, at any place, and nothing beside it
// is touched. When the object has been built, the committed file is also compared with it.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseElf } from '../../../src/codegen/elf.ts'
import { btfHash } from '../../../src/codegen/layout.ts'
import { generateFrom, OBJECT, OUTPUT } from '../../../src/codegen/main.ts'
import type { Codec } from '../../../src/datapath/codec.ts'
import * as layout from '../../../src/datapath/layout.gen.ts'
import type { Address } from '../../../src/net/address.ts'
import { below, fuzzSeed, bytes as randomBytes, randomFrom } from '../../support/random.ts'

function codecs(): [string, Codec<unknown>][] {
  return Object.entries(layout).flatMap(([name, value]) =>
    typeof value === 'object' && 'encode' in value ? [[name, value as Codec<unknown>]] : [],
  )
}

test('codecs decode what they encode, at any offset', () => {
  const seed = fuzzSeed()
  const random = randomFrom(seed)
  assert.ok(codecs().length > 10)
  for (const [name, codec] of codecs()) {
    for (let round = 0; round < 50; round++) {
      const value = codec.fromBytes(randomBytes(random, codec.size))
      const bytes = codec.toBytes(value)
      const where = `${name}, seed ${seed}`
      assert.deepEqual(codec.fromBytes(bytes), value, where)
      const at = below(random, 9)
      const frame = new Uint8Array(codec.size + 16).fill(0xee)
      codec.encode(new DataView(frame.buffer), at, value)
      assert.deepEqual(frame.slice(at, at + codec.size), bytes, where)
      const beside = [...frame.slice(0, at), ...frame.slice(at + codec.size)]
      assert.ok(
        beside.every((byte) => byte === 0xee),
        where,
      )
      assert.deepEqual(codec.decode(new DataView(frame.buffer), at), value, where)
    }
  }
})

test('codecs refuse bytes of another length', () => {
  for (const [, codec] of codecs()) {
    assert.throws(() => codec.fromBytes(new Uint8Array(codec.size + 1)), {
      message: /^Cannot decode/,
    })
  }
})

test('tuple is written as the header says: v4-mapped, ports in network order, pad zero', () => {
  const bytes = layout.tuple.toBytes({
    source: '10.0.1.2' as Address,
    destination: 'fd00::1' as Address,
    sourcePort: 0x1234,
    destinationPort: 80,
    protocol: 6,
  })
  const hex = [
    '00000000000000000000ffff0a000102',
    'fd000000000000000000000000000001',
    '1234',
    '0050',
    '06',
    '000000',
  ]
  assert.equal(Buffer.from(bytes).toString('hex'), hex.join(''))
})

test('layout.gen.ts is what the compiled object says', (context) => {
  // npm test needs no compiler; the object is there after make build, which runs before in CI.
  if (!existsSync(OBJECT)) return context.skip('bpf/out/weir.bpf.o has not been built')
  const object = readFileSync(OBJECT)
  assert.equal(readFileSync(OUTPUT, 'utf8'), generateFrom(object))
  const btf = parseElf(object).sections.get('.BTF')
  assert.ok(btf)
  assert.equal(btfHash(btf), layout.OBJECT_HASH)
})
