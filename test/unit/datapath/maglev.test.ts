// Maglev's table: shares, determinism, and what a backend that goes takes with it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillMaglev } from '../../../src/datapath/maglev.ts'
import { parseAddress } from '../../../src/net/address.ts'

const SIZE = 1021

function backends(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    address: parseAddress(`10.0.${index >> 8}.${index & 255}`),
    port: 8080,
  }))
}

test('fillMaglev() gives every backend its share, within one slot', () => {
  for (const count of [1, 2, 3, 10, 100, 1021]) {
    const shares = Map.groupBy(fillMaglev(backends(count), SIZE), ({ address }) => address)
    const sizes = [...shares.values()].map(({ length }) => length)
    assert.equal(sizes.length, count)
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${count}: ${sizes}`)
  }
})

test('fillMaglev() does not depend on the order of the backends', () => {
  const list = backends(10)
  assert.deepEqual(fillMaglev(list, SIZE), fillMaglev([...list].reverse(), SIZE))
  assert.deepEqual(fillMaglev([], SIZE), [])
})

test('a backend that goes moves its own slots and few others', () => {
  const list = backends(20)
  const before = fillMaglev(list, SIZE)
  for (const gone of list) {
    const after = fillMaglev(
      list.filter((backend) => backend !== gone),
      SIZE,
    )
    const moved = before.filter((b, slot) => b !== gone && b.address !== after[slot]?.address)
    // Eisenbud et al. measured a few percent at this ratio of slots to backends.
    assert.ok(moved.length < SIZE * 0.1, `${moved.length} of ${SIZE} moved`)
  }
})

test('more backends than slots fill the table once', () => {
  const table = fillMaglev(backends(20), 13)
  assert.equal(new Set(table.map(({ address }) => address)).size, 13)
})
