// What `weir policy explain` says, and how it reads ports.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeSide, parsePort } from '../../../src/cli/policy-explain.ts'

test('parsePort() takes PORT and PORT/PROTOCOL, and says what else is wrong', () => {
  assert.deepEqual(parsePort('80'), { port: 80, protocol: 6 })
  assert.deepEqual(parsePort('53/udp'), { port: 53, protocol: 17 })
  for (const text of ['0', '65536', 'http', '80/', '80/icmp', '']) {
    assert.throws(() => parsePort(text), new RegExp(`Cannot read port "${text}"`))
  }
})

test('describeSide() names the rule, or its number while the agent is away', () => {
  const entry = { identity: 301, protocol: 6, port: 8064, portBits: 10 }
  const answer = { verdict: 'allow', policyId: 4, identity: 301, ruleId: 7, entry } as const
  const rules = new Map([[7, 'NetworkPolicy shop/db ingress rule 1']])
  assert.deepEqual(describeSide('ingress', 'shop/db', answer, rules), [
    'ingress of shop/db: allowed by NetworkPolicy shop/db ingress rule 1',
    '  entry of set 4: identity 301, TCP ports 8064 to 8127',
    '  the peer is identity 301',
  ])
  assert.match(describeSide('egress', 'a', answer, undefined)[0] ?? '', /allowed by rule 7$/)
  const closed = { verdict: 'deny', policyId: 0xffff_ffff, identity: 3, ruleId: 0 } as const
  assert.match(describeSide('egress', 'a', closed, rules)[0] ?? '', /denied by being closed/)
  const isolated = { ...closed, policyId: 9 }
  assert.match(describeSide('egress', 'a', isolated, rules)[0] ?? '', /isolation: no rule allows/)
})
