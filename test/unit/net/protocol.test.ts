// Protocol names and numbers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protocolName, protocolNumber } from '../../../src/net/protocol.ts'

test('protocols have their IANA numbers and back', () => {
  for (const [name, number] of [
    ['TCP', 6],
    ['UDP', 17],
    ['SCTP', 132],
  ] as const) {
    assert.equal(protocolNumber(name), number)
    assert.equal(protocolName(number), name)
  }
  assert.equal(protocolName(58), 'ICMPv6')
  assert.equal(protocolName(253), '253')
})
