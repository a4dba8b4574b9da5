// The MTU of pods, and the sentences that explain it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveMtu, type MtuFacts } from '../../../src/control/mtu.ts'

const FACTS: MtuFacts = {
  uplinkMtu: 1500,
  uplinkName: 'eth0',
  routing: 'vxlan',
  underlayFamily: 4,
  podFamilies: [4],
}

test('the overlay takes 50 bytes over IPv4, 70 over IPv6, nothing when it cannot be used', () => {
  assert.equal(deriveMtu(FACTS).podMtu, 1450)
  assert.equal(deriveMtu({ ...FACTS, routing: 'auto' }).podMtu, 1450)
  assert.equal(deriveMtu({ ...FACTS, underlayFamily: 6 }).podMtu, 1430)
  assert.equal(deriveMtu({ ...FACTS, routing: 'native', underlayFamily: 6 }).podMtu, 1500)
  assert.equal(deriveMtu({ ...FACTS, uplinkMtu: 9000 }).podMtu, 8950)
})

test('the derivation is told in steps', () => {
  assert.deepEqual(deriveMtu({ ...FACTS, routing: 'auto' }).derivation, [
    'eth0 carries 1500 bytes',
    'less 50 for VXLAN over IPv4, as routing auto may use it: 1450',
  ])
  assert.deepEqual(deriveMtu({ ...FACTS, routing: 'native' }).derivation, [
    'eth0 carries 1500 bytes',
    'routing is native, nothing is added: 1500',
  ])
})

test('the operator may set it, and is told when it does not fit', () => {
  const small = deriveMtu({ ...FACTS, override: 1400 })
  assert.equal(small.podMtu, 1400)
  assert.deepEqual(small.derivation.slice(2), ['set by the operator: 1400'])
  const large = deriveMtu({ ...FACTS, override: 1500 })
  assert.equal(large.podMtu, 1500)
  assert.match(large.derivation.at(-1) ?? '', /larger than the 1450 that fit/)
})

test('an MTU below what the pods’ families require is told', () => {
  const facts: MtuFacts = { ...FACTS, uplinkMtu: 1300, podFamilies: [4, 6] }
  assert.match(deriveMtu(facts).derivation.at(-1) ?? '', /smaller than the 1280/)
  assert.equal(deriveMtu({ ...facts, podFamilies: [4] }).derivation.length, 2)
  assert.equal(deriveMtu({ ...facts, uplinkMtu: 1330 }).derivation.length, 2)
})
