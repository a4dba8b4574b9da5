// Canonical text, refusals, and bytes there and back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addressFamily,
  addressFromBytes,
  addressFromNumber,
  addressToBytes,
  addressToNativeBytes,
  addressToNumber,
  formatAddressPort,
  parseAddress,
  parseSloppyAddress,
} from '../../../src/net/address.ts'

const CANONICAL = [
  ['10.0.0.1', '10.0.0.1'],
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['FD00::A', 'fd00::a'],
  ['fd00:0:0:0:0:0:0:0', 'fd00::'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
  ['1:0:2:0:0:3:0:4', '1:0:2::3:0:4'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::ffff:a01:203', '10.1.2.3'],
  ['::1.2.3.4', '::102:304'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
] as const

test('parseAddress() gives one text for equal addresses', () => {
  for (const [text, canonical] of CANONICAL) assert.equal(parseAddress(text), canonical)
})

test('parseAddress() refuses what is no address, names a zone, or could be octal', () => {
  const bad = ['', ' ', '10.0.0', '10.0.0.256', '010.0.0.1', '10.0.0.1 ', '0x7f.0.0.1', '1::2::3']
  for (const text of [...bad, ':::', '12345::', 'fe80::1%eth0', 'web', '10.0.0.1/24', '::1.2.3']) {
    assert.throws(() => parseAddress(text), /^Error: Cannot parse address/)
  }
})

test('parseSloppyAddress() reads leading zeros as decimal, never octal', () => {
  assert.equal(parseSloppyAddress('010.020.000.008'), '10.20.0.8')
  assert.equal(parseSloppyAddress('000010.0.0.1'), '10.0.0.1')
  assert.equal(parseSloppyAddress('::ffff:010.0.0.1'), '10.0.0.1')
  assert.equal(parseSloppyAddress('fd00::0010'), 'fd00::10')
  assert.equal(parseSloppyAddress('100.200.10.0'), '100.200.10.0')
  for (const text of ['0300.0.0.1', '10.0.0', '0x10.0.0.1', '']) {
    assert.throws(() => parseSloppyAddress(text), /Cannot parse address/)
  }
})

test('addressToBytes() maps IPv4 into 16 bytes and addressFromBytes() is its mirror', () => {
  assert.deepEqual(
    [...addressToBytes(parseAddress('10.1.2.3'))],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3],
  )
  for (const [, text] of CANONICAL) {
    const address = parseAddress(text)
    assert.equal(addressToBytes(address).length, 16)
    assert.equal(addressFromBytes(addressToBytes(address)), address)
    assert.equal(addressFromBytes(addressToNativeBytes(address)), address)
    assert.equal(addressFromNumber(addressToNumber(address), addressFamily(address)), address)
  }
})

test('addressFamily() and formatAddressPort() tell the families apart', () => {
  assert.equal(addressFamily(parseAddress('10.0.0.1')), 4)
  assert.equal(addressFamily(parseAddress('::')), 6)
  assert.equal(formatAddressPort(parseAddress('10.0.0.1'), 80), '10.0.0.1:80')
  assert.equal(formatAddressPort(parseAddress('fd00::1'), 80), '[fd00::1]:80')
})

test('any 16 bytes survive address text and back', () => {
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: 16 }, () =>
      Math.random() < 0.5 ? 0 : Math.floor(Math.random() * 256),
    )
    const address = addressFromBytes(bytes)
    assert.deepEqual(addressToBytes(parseAddress(address)), bytes)
  }
})
