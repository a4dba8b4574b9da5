// Which identities keep their numbers when rules ask for something else, so that a change writes
// entries of those alone whom it concerns.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PolicyCompiler } from '../../../../src/control/policy/compiler.ts'
import { networkPolicyRow } from '../../../../src/kube/policy-objects.ts'
import type { Address } from '../../../../src/net/address.ts'
import { createTables } from '../../../../src/tables/tables.ts'
import { endpointOf, makeNamespace, makePod, markInputs } from '../../../support/policy-worlds.ts'

/** Pods of two apps in two namespaces, each with labels that no policy asks for yet. */
const PODS = ['shop', 'db'].flatMap((namespace, at) =>
  [1, 2, 3, 4, 5, 6].map((number) =>
    makePod({
      ...{ namespace, name: `pod-${number}`, nodeName: number === 1 ? 'node-1' : 'node-2' },
      addresses: [`10.0.${at}.${number}` as Address],
      labels: { app: `app-${number % 2}`, common: 'yes', track: number < 3 ? 'canary' : 'stable' },
    }),
  ),
)

function setScene() {
  const tables = createTables()
  for (const name of ['shop', 'db']) tables.namespaces.upsert(makeNamespace(name, { team: name }))
  for (const pod of PODS) {
    tables.pods.upsert(pod)
    if (pod.nodeName === 'node-1') tables.endpoints.upsert(endpointOf(pod))
  }
  const ask = (name: string, from: object) => {
    const spec = { podSelector: {}, ingress: [{ from: [from] }] }
    const { row } = networkPolicyRow({ metadata: { namespace: 'shop', name }, spec } as never)
    if (row) tables.networkPolicies.upsert(row)
  }
  ask('app', { podSelector: { matchLabels: { app: 'app-1' } } })
  ask('team', { namespaceSelector: { matchLabels: { team: 'red' } } })
  markInputs(tables)
  const compiler = new PolicyCompiler(tables, { implicitNamespaces: false, budget: 1000 })
  compiler.start()
  compiler.run()
  const numbers = () =>
    new Map([...tables.addressIdentities.rows()].map((row) => [row.address, row.identity]))
  const moved = (before: ReadonlyMap<Address, number>) =>
    [...numbers()]
      .filter(([address, number]) => before.get(address) !== number)
      .map(([at]) => at)
      .sort()
  return { tables, compiler, ask, numbers, moved }
}

test('a label that a rule begins and ceases to ask for renumbers nobody alike', () => {
  const { tables, compiler, ask, numbers, moved } = setScene()
  const before = numbers()
  ask('common', { podSelector: { matchLabels: { common: 'yes' } } })
  compiler.run()
  assert.deepEqual(moved(before), [])
  tables.networkPolicies.delete('shop/common')
  compiler.run()
  assert.deepEqual(moved(before), [])
  compiler.stop()
})

test('where a label tells pods apart, the fewer get a new number', () => {
  const { tables, compiler, ask, numbers, moved } = setScene()
  const before = numbers()
  ask('track', { podSelector: { matchLabels: { track: 'canary' } } })
  compiler.run()
  // Of three pods of an app one is a canary.
  assert.deepEqual(moved(before), ['10.0.0.1', '10.0.0.2', '10.0.1.1', '10.0.1.2'])
  const split = numbers()
  tables.networkPolicies.delete('shop/track')
  compiler.run()
  assert.deepEqual(moved(split), ['10.0.0.1', '10.0.0.2', '10.0.1.1', '10.0.1.2'])
  assert.equal(new Set(numbers().values()).size, 4)
  compiler.stop()
})

test('a block around pods renumbers nobody whom it holds together', () => {
  const { compiler, ask, numbers, moved } = setScene()
  const before = numbers()
  ask('block', { ipBlock: { cidr: '10.0.0.0/8' } })
  compiler.run()
  assert.deepEqual(moved(before), [])
  ask('block', { ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.6/32'] } })
  compiler.run()
  assert.deepEqual(moved(before), ['10.0.0.6'])
  compiler.stop()
})

test('a namespace that others mean than before gets new numbers, and no set a new id', () => {
  const { tables, compiler, numbers, moved } = setScene()
  const before = numbers()
  const ids = [...tables.policySets.rows()].map(({ id }) => id)
  tables.namespaces.upsert(makeNamespace('db', { team: 'blue' }))
  compiler.run()
  assert.deepEqual(moved(before), [], 'nobody asks for blue')
  tables.namespaces.upsert(makeNamespace('db', { team: 'red' }))
  compiler.run()
  const ofDb = PODS.filter(({ namespace }) => namespace === 'db').flatMap(
    ({ addresses }) => addresses,
  )
  assert.deepEqual(moved(before), ofDb)
  assert.deepEqual(
    [...tables.policySets.rows()].map(({ id }) => id),
    ids,
  )
  compiler.stop()
})

test('a pod with other labels than those alike gets another number', () => {
  const { tables, compiler, numbers, moved } = setScene()
  const before = numbers()
  // All of the identity, and at once: still nobody's number may change its meaning.
  for (const pod of PODS) {
    if (pod.namespace !== 'db' || pod.labels['app'] !== 'app-0') continue
    tables.pods.upsert({ ...pod, labels: { ...pod.labels, app: 'app-2' } })
  }
  compiler.run()
  assert.deepEqual(moved(before), ['10.0.1.2', '10.0.1.4', '10.0.1.6'])
  compiler.stop()
})
