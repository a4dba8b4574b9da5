// What is worth an Event, and of whom; a full map is in full-map.test.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentConditions, agentProblems, type ConditionParts } from '../../src/conditions.ts'
import type { Address } from '../../src/net/address.ts'
import { POLICY_CLOSED } from '../../src/tables/policy.ts'
import { createTables, type Tables } from '../../src/tables/tables.ts'
import { endpointOf, makePod } from '../support/policy-worlds.ts'
import { makeFrontend, makeNode, makeService } from '../support/service-rows.ts'

function partsOf(tables: Tables, more: Partial<ConditionParts> = {}): ConditionParts {
  return {
    ...{ nodeName: 'node-1', tables },
    node: { problem: undefined, conflicts: () => [] },
    duties: { problems: () => [] },
    ...more,
  }
}

function fail(table: Tables['frontends'] | Tables['healthChecks'], error: string): void {
  for (const { key, revision } of [...table.entries()]) {
    table.setStatus(key, revision, { state: 'error', error })
  }
}

const summary = (parts: ConditionParts): string[] =>
  agentConditions(parts).map(({ reason, about: { kind, namespace, name, uid }, text }) => {
    return [reason, kind, namespace ?? '-', name, uid, text].join('|')
  })

test('a healthy agent has nothing to tell', () => {
  const parts = partsOf(createTables())
  assert.deepEqual([agentConditions(parts), agentProblems(parts)], [[], []])
})

test('a node that takes no pods, and what concerns it as a whole, is told of the Node', () => {
  const parts = partsOf(createTables(), {
    node: { problem: 'there is no bpffs', conflicts: () => [] },
    duties: { problems: () => [{ reason: 'MasqueradeFileNotUsable', text: 'Cannot use it' }] },
  })
  assert.deepEqual(summary(parts), [
    'NetworkNotReady|Node|-|node-1|node-1|Cannot take pods: there is no bpffs',
    'MasqueradeFileNotUsable|Node|-|node-1|node-1|Cannot use it',
  ])
  assert.deepEqual(agentProblems(parts), ['Cannot take pods: there is no bpffs', 'Cannot use it'])
})

test('a Service is told once, by its first frontend', () => {
  const tables = createTables()
  for (let n = 0; n < 3; n++) {
    tables.services.upsert(makeService({ name: `web-${n}`, uid: `u-${n}` }))
    for (const port of [80, 81]) {
      const address = `10.96.0.${n}` as Address
      tables.frontends.upsert(makeFrontend({ address, port, service: `default/web-${n}` }))
    }
  }
  // A host port bears the name of its pod, and is no Service's.
  const pod = makeFrontend({ port: 8080, service: 'default/web-0', kind: 'HostPort' })
  tables.frontends.upsert(pod)
  fail(tables.frontends, 'map is full')
  const told = summary(partsOf(tables))
  assert.equal(told.length, 3)
  assert.equal(told[0], 'ServiceNotServed|Service|default|web-0|u-0|map is full')
})

test('a health check port that another process has is told of its Service', () => {
  const tables = createTables()
  tables.services.upsert(makeService({ uid: 'u' }))
  tables.healthChecks.upsert({ port: 10256, addresses: ['::'] })
  tables.healthChecks.upsert({ port: 32000, addresses: ['::'], service: 'default/web' })
  fail(tables.healthChecks, 'another process has the port')
  assert.deepEqual(summary(partsOf(tables)), [
    'FailedToStartServiceHealthcheck|Service|default|web|u|another process has the port',
  ])
})

test('of two that ask for one address the one that goes without is told', () => {
  const tables = createTables()
  tables.services.upsert(makeService({ name: 'b', uid: 'u' }))
  tables.nodes.upsert(makeNode('node-2'))
  const conflicts = () => [
    { table: 'frontends', key: '192.0.2.1:80/TCP', owner: 'default/a', loser: 'default/b' },
    { table: 'destinations', key: '10.1.1.0/24', owner: 'node-1', loser: 'node-2' },
  ]
  const parts = partsOf(tables, { node: { problem: undefined, conflicts } })
  assert.deepEqual(summary(parts), [
    'AddressTaken|Service|default|b|u|' +
      'Cannot give default/b 192.0.2.1:80/TCP of frontends: default/a has it',
    'AddressTaken|Node|-|node-2|node-2|' +
      'Cannot give node-2 10.1.1.0/24 of destinations: node-1 has it',
  ])
})

test('a pod that policy has closed is told of the pod, and the Node that there is no room', () => {
  const tables = createTables()
  const address = '10.0.1.2' as Address
  tables.endpoints.upsert(endpointOf(makePod({ addresses: [address] })))
  const [{ podNamespace, podName, podUid } = assert.fail()] = tables.endpoints.rows()
  tables.endpointPolicies.upsert({
    ...{ address, endpoint: [...tables.endpoints.entries()][0]?.key ?? '', audit: false },
    ...{ ingress: POLICY_CLOSED, egress: POLICY_CLOSED },
    closed: { condition: 'PolicyTooLarge', text: 'there is no room' },
  })
  const [room, ...pods] = summary(partsOf(tables))
  assert.match(room ?? '', /^PolicyMapFull\|Node\|-\|node-1\|node-1\|Cannot hold every policy: /)
  assert.deepEqual(pods, [
    `PolicyTooLarge|Pod|${podNamespace}|${podName}|${podUid}|closed by policy: there is no room`,
  ])
})
