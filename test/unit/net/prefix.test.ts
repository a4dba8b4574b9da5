// Prefixes: canonical text, edges, both families.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../../src/net/address.ts'
import {
  gatewayOf,
  hostPrefix,
  parsePrefix,
  parseSloppyPrefix,
  prefixAddress,
  prefixContains,
  prefixFamily,
  prefixLength,
  prefixNth,
  prefixOf,
  prefixSize,
} from '../../../src/net/prefix.ts'

test('parsePrefix() clears host bits and gives one text for equal prefixes', () => {
  assert.equal(parsePrefix('10.0.1.7/24'), '10.0.1.0/24')
  assert.equal(parsePrefix('10.0.1.7/0'), '0.0.0.0/0')
  assert.equal(parsePrefix('10.0.1.7/32'), '10.0.1.7/32')
  assert.equal(parsePrefix('FD00:0::1/64'), 'fd00::/64')
  assert.equal(parsePrefix('fd00::1/0'), '::/0')
  assert.equal(parseSloppyPrefix('010.000.1.7/24'), '10.0.1.0/24')
})

test('parsePrefix() refuses what is no prefix', () => {
  const bad = ['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/8/8', '/8', 'a/8']
  for (const text of [...bad, '10.0.0.0/-1', '10.0.0.0/+8', '010.0.0.0/8']) {
    assert.throws(() => parsePrefix(text), /Cannot parse/)
  }
})

test('prefix parts are read from the text', () => {
  const prefix = parsePrefix('fd00:10::/56')
  assert.equal(prefixFamily(prefix), 6)
  assert.equal(prefixAddress(prefix), 'fd00:10::')
  assert.equal(prefixLength(prefix), 56)
  assert.equal(prefixSize(parsePrefix('10.0.0.0/24')), 256n)
  assert.equal(prefixSize(parsePrefix('::/0')), 1n << 128n)
  assert.equal(hostPrefix(parseAddress('10.0.0.1')), '10.0.0.1/32')
  assert.equal(hostPrefix(parseAddress('fd00::1')), 'fd00::1/128')
  assert.equal(prefixOf(parseAddress('192.0.2.77'), 26), '192.0.2.64/26')
})

test('prefixNth() counts from the base and throws outside', () => {
  const prefix = parsePrefix('10.0.1.0/24')
  assert.equal(prefixNth(prefix, 0n), '10.0.1.0')
  assert.equal(prefixNth(prefix, 255n), '10.0.1.255')
  assert.throws(() => prefixNth(prefix, 256n), /outside the prefix/)
  assert.throws(() => prefixNth(prefix, -1n), /outside the prefix/)
  assert.equal(prefixNth(parsePrefix('fd00::/64'), 1n << 32n), 'fd00::1:0:0')
  assert.equal(gatewayOf(prefix), '10.0.1.1')
  assert.throws(() => gatewayOf(parsePrefix('10.0.1.9/32')))
})

test('prefixContains() holds at both edges and between families', () => {
  const prefix = parsePrefix('10.0.1.64/26')
  assert.equal(prefixContains(prefix, parseAddress('10.0.1.63')), false)
  assert.equal(prefixContains(prefix, parseAddress('10.0.1.64')), true)
  assert.equal(prefixContains(prefix, parseAddress('10.0.1.127')), true)
  assert.equal(prefixContains(prefix, parseAddress('10.0.1.128')), false)
  assert.equal(prefixContains(parsePrefix('::/0'), parseAddress('10.0.1.64')), false)
  assert.equal(prefixContains(parsePrefix('0.0.0.0/0'), parseAddress('::')), false)
})
