// MAC addresses.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { macFromBytes, macToBytes, parseMac, randomMac } from '../../../src/net/mac.ts'

test('parseMac() gives lower case and refuses anything else', () => {
  assert.equal(parseMac('0A:1b:2C:3d:4E:5f'), '0a:1b:2c:3d:4e:5f')
  for (const text of [
    '',
    '0a:1b:2c:3d:4e',
    '0a-1b-2c-3d-4e-5f',
    '0a:1b:2c:3d:4e:5g',
    'a:b:c:d:e:f',
  ]) {
    assert.throws(() => parseMac(text), /Cannot parse MAC/)
  }
})

test('macToBytes() and macFromBytes() mirror each other', () => {
  const mac = parseMac('00:01:0f:10:a0:ff')
  assert.deepEqual([...macToBytes(mac)], [0, 1, 15, 16, 160, 255])
  assert.equal(macFromBytes(macToBytes(mac)), mac)
})

test('randomMac() is always unicast and locally administered', () => {
  const seen = new Set<string>()
  for (let round = 0; round < 200; round++) {
    const mac = randomMac()
    assert.equal((macToBytes(parseMac(mac))[0] ?? 0) & 3, 2)
    seen.add(mac)
  }
  assert.ok(seen.size > 190)
})
