// The host end's name: 15 bytes, stable, and unique also when the cut hash is taken.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostIfName } from '../../../src/cni/host-if-name.ts'

test('hostIfName() fits the kernel and is the same every time', () => {
  const name = hostIfName('c1/eth0', () => false)
  assert.match(name, /^weir[0-9a-f]{11}$/)
  assert.equal(
    hostIfName('c1/eth0', () => false),
    name,
  )
})

test('hostIfName() takes another name when the first is taken', () => {
  const first = hostIfName('c1/eth0', () => false)
  const second = hostIfName('c1/eth0', (name) => name === first)
  const third = hostIfName('c1/eth0', (name) => name === first || name === second)
  assert.equal(new Set([first, second, third]).size, 3)
  assert.match(third, /^weir[0-9a-f]{11}$/)
})
