// AddressPool: what is given, in which order, and what is said when nothing is left.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressPool, nextFree } from '../../../src/cni/ipam.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'

const cidrs = (...texts: string[]) => texts.map(parsePrefix)

test('AddressPool skips base, gateway and IPv4 broadcast', () => {
  const pool = new AddressPool()
  const given = [0, 1, 2, 3, 4].map(() => pool.allocate(cidrs('10.0.1.0/29'))[0])
  assert.deepEqual(given, ['10.0.1.2', '10.0.1.3', '10.0.1.4', '10.0.1.5', '10.0.1.6'])
  assert.throws(() => pool.allocate(cidrs('10.0.1.0/29')), {
    code: 11,
    message: 'Cannot allocate an address: podCIDR 10.0.1.0/29 has 5 pod addresses and 5 are in use',
  })
})

test('AddressPool gives the last address of an IPv6 podCIDR', () => {
  const pool = new AddressPool()
  const given = [0, 1].map(() => pool.allocate(cidrs('fd00::/126'))[0])
  assert.deepEqual(given, ['fd00::2', 'fd00::3'])
})

test('AddressPool has nothing in podCIDRs too small for a pod', () => {
  for (const text of ['10.0.0.0/31', '10.0.0.0/32', 'fd00::/127', 'fd00::/128']) {
    const pool = new AddressPool()
    assert.throws(() => pool.allocate(cidrs(text)), { code: 11, message: /has 0 pod addresses/ })
    assert.match(pool.exhausted(cidrs(text)) ?? '', /has 0 pod addresses/)
  }
})

test('AddressPool does not reuse a freed address before its turn comes round', () => {
  const pool = new AddressPool()
  const [first] = pool.allocate(cidrs('10.0.1.0/29'))
  pool.release([parseAddress(first ?? '')])
  const later = [0, 1, 2, 3].map(() => pool.allocate(cidrs('10.0.1.0/29'))[0])
  assert.deepEqual(later, ['10.0.1.3', '10.0.1.4', '10.0.1.5', '10.0.1.6'])
  assert.deepEqual(pool.allocate(cidrs('10.0.1.0/29')), ['10.0.1.2'])
})

test('AddressPool keeps its place through a restart', () => {
  const before = new AddressPool()
  before.release(before.allocate(cidrs('10.0.1.0/24', 'fd00::/64')))
  const after = new AddressPool()
  after.restoreCursors(JSON.parse(JSON.stringify(before.cursors)))
  assert.deepEqual(after.allocate(cidrs('10.0.1.0/24', 'fd00::/64')), ['10.0.1.3', 'fd00::3'])
})

test('AddressPool gives one address per family, in the order of the podCIDRs', () => {
  const pool = new AddressPool()
  assert.deepEqual(pool.allocate(cidrs('fd00::/64', '10.0.1.0/24')), ['fd00::2', '10.0.1.2'])
})

test('AddressPool goes on in the second podCIDR of a family when the first is full', () => {
  const pool = new AddressPool()
  const both = cidrs('10.0.1.0/30', '10.0.2.0/30')
  assert.deepEqual(pool.allocate(both), ['10.0.1.2'])
  assert.equal(pool.exhausted(both), undefined)
  assert.deepEqual(pool.allocate(both), ['10.0.2.2'])
  assert.match(pool.exhausted(both) ?? '', /10\.0\.1\.0\/30 .*; podCIDR 10\.0\.2\.0\/30 /)
})

test('AddressPool gives back the first family when the second has nothing', () => {
  const pool = new AddressPool()
  assert.throws(() => pool.allocate(cidrs('10.0.1.0/30', 'fd00::/127')), { code: 11 })
  assert.deepEqual(pool.allocate(cidrs('10.0.1.0/30')), ['10.0.1.2'])
})

test('AddressPool holds addresses that a changed podCIDR no longer covers', () => {
  const pool = new AddressPool()
  const [old] = pool.allocate(cidrs('10.0.1.0/24'))
  assert.deepEqual(pool.allocate(cidrs('10.0.2.0/24')), ['10.0.2.2'])
  assert.equal(pool.isUsed(parseAddress(old ?? '')), true)
  assert.throws(() => pool.allocate(cidrs('10.0.2.0/24'), [parseAddress(old ?? '')]), { code: 7 })
})

test('AddressPool takes a wished address, and refuses one that is taken or no pod address', () => {
  const pool = new AddressPool()
  const wish = [parseAddress('10.0.1.77')]
  assert.deepEqual(pool.allocate(cidrs('10.0.1.0/24', 'fd00::/64'), wish), ['10.0.1.77', 'fd00::2'])
  assert.throws(() => pool.allocate(cidrs('10.0.1.0/24'), wish), { code: 7, message: /another/ })
  for (const text of ['10.0.1.0', '10.0.1.1', '10.0.1.255', '10.9.9.9', 'fd00::9']) {
    const wished = [parseAddress(text)]
    assert.throws(() => pool.allocate(cidrs('10.0.1.0/24'), wished), { code: 7 }, text)
  }
  assert.equal(pool.isUsed(parseAddress('10.0.1.78')), false)
})

test('nextFree finds a hole in no more steps than there are used numbers', () => {
  const used = new Set([2n, 3n, 4n])
  const range = { first: 2n, last: 2n ** 64n }
  assert.equal(nextFree(used, { ...range, after: 2n ** 64n }), 5n)
  assert.equal(nextFree(used, { ...range, after: 0n }), 5n)
  assert.equal(nextFree(used, { ...range, after: 7n }), 8n)
  assert.equal(nextFree(used, { first: 2n, last: 4n, after: 3n }), undefined)
  assert.equal(nextFree(new Set(), { first: 5n, last: 4n, after: 0n }), undefined)
})

test('AddressPool allocates every address of a /16 once', () => {
  const pool = new AddressPool()
  const given = new Set<string>()
  for (let i = 0; i < 65_533; i++) given.add(pool.allocate(cidrs('10.1.0.0/16'))[0] ?? '')
  assert.equal(given.size, 65_533)
  assert.throws(() => pool.allocate(cidrs('10.1.0.0/16')), {
    code: 11,
    message: /65533 are in use/,
  })
})
