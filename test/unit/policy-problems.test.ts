// What policy has closed, in sentences and in numbers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Address } from '../../src/net/address.ts'
import { countClosed, policyProblems, policyRoom } from '../../src/policy-problems.ts'
import { POLICY_CLOSED, type PolicyEntry } from '../../src/tables/policy.ts'
import { createTables } from '../../src/tables/tables.ts'
import { endpointOf, makePod } from '../support/policy-worlds.ts'

test('closed pods are named once each, and of many the first', () => {
  const tables = createTables()
  for (let at = 0; at < 7; at++) {
    const addresses = [`10.0.1.${at + 2}`, `fd00::${at + 2}`] as Address[]
    const endpoint = endpointOf(makePod({ name: `web-${at}`, addresses }))
    tables.endpoints.upsert(endpoint)
    for (const address of addresses) {
      tables.endpointPolicies.upsert({
        ...{ address, endpoint: `shop-web-${at}/eth0`, audit: false },
        ...{ ingress: POLICY_CLOSED, egress: POLICY_CLOSED },
        closed: { condition: 'PolicyTooLarge', text: 'there is no room' },
      })
    }
  }
  const problems = policyProblems(tables)
  assert.equal(problems[0], 'PolicyTooLarge: pod shop/web-0 is closed: there is no room')
  assert.deepEqual([problems.length, problems[5]], [6, '2 more pods are closed by policy'])
  assert.deepEqual(policyRoom(tables, 10), [
    {
      reason: 'PolicyMapFull',
      text: 'Cannot hold every policy: there is room for 10 entries, 14 addresses are closed',
    },
  ])
  const counts = countClosed(tables.endpointPolicies.rows())
  assert.deepEqual(counts, { PodUnknown: 0, PolicyTooLarge: 14 })
})

test('before policies do not fit it is said', () => {
  const { policySets, ...tables } = createTables()
  const entry = { identity: 1, protocol: 6, port: 80, portBits: 16, verdict: 'allow', ruleId: 1 }
  const hold = (count: number) => {
    const entries = Array.from({ length: count }, () => entry as PolicyEntry)
    policySets.upsert({ id: 1, direction: 'ingress', entries })
    return policyRoom({ ...tables, policySets }, 10).map(({ reason, text }) => `${reason}: ${text}`)
  }
  assert.deepEqual(hold(8), [])
  assert.deepEqual(hold(9), [
    'PolicyMapNearlyFull: Cannot promise room: policies need 9 of 10 entries',
  ])
})
