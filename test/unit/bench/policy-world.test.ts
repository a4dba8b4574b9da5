// The world of policies that the bench writes: the agent understands all of it, and each change
// goes there and back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesOf } from '../../../src/bench/policies/changes.ts'
import { measureCost } from '../../../src/bench/policies/cost.ts'
import {
  crowdedNamespace,
  podsOf,
  policiesOf,
  worldDataset,
  worldOf,
} from '../../../src/bench/policies/world.ts'
import type { Wanted } from '../../../src/bench/scale/objects.ts'
import { findKind } from '../../../src/kube/kinds.ts'

const WORLD = worldOf(200, 150, [1, 12])

function rowsOf(objects: readonly Wanted[], kind: string) {
  return objects
    .filter(({ object }) => object.kind === kind)
    .map(({ object, status }) => {
      const { row, notes = [] } =
        findKind(object.apiVersion, kind)?.convert({ ...object, status } as never) ?? {}
      assert.deepEqual(notes, [], `${kind} ${object.metadata.name}`)
      return row as Record<string, unknown>
    })
}

test('every object of a world has a row, and pods have addresses of their own', () => {
  const pods = rowsOf(podsOf(WORLD), 'Pod')
  assert.equal(pods.length, 200)
  assert.equal(new Set(pods.flatMap(({ addresses }) => addresses as string[])).size, 400)
  assert.equal(rowsOf(policiesOf(WORLD), 'NetworkPolicy').length, 150 + 1 + 12)
  const objects = worldDataset(WORLD).ranks().flat()
  assert.equal(rowsOf(objects, 'Namespace').length, WORLD.namespaces + 2)
  assert.equal(rowsOf(objects, 'Node').length, WORLD.nodes)
})

test('what is stored past the API server has a key of its own', () => {
  const stored = worldDataset(WORLD).stored()
  assert.equal(new Set(stored.map(({ key }) => key)).size, 200 + 150 + 1 + 12)
})

test('in a crowded namespace every policy selects all pods, and has a name of its own', () => {
  const policies = rowsOf(policiesOf(WORLD), 'NetworkPolicy').filter(
    ({ namespace }) => namespace === crowdedNamespace(12),
  )
  assert.equal(new Set(policies.map(({ name }) => name)).size, 12)
  for (const { pods, ingress, egress } of policies) {
    assert.deepEqual(pods, [])
    assert.ok(ingress && egress)
  }
})

test('a change ends where it began, in namespaces of the world', () => {
  const namespaces = worldDataset(WORLD).ranks().flat()
  const known = new Set(rowsOf(namespaces, 'Namespace').map(({ name }) => name))
  for (const { name, states } of changesOf(WORLD)) {
    assert.equal(states.length, 2, name)
    for (const { wanted } of states) {
      const { namespace, name: own } = wanted.object.metadata
      assert.ok(known.has(namespace ?? own), name)
      assert.ok(rowsOf([wanted], wanted.object.kind)[0])
    }
  }
})

test('measureCost() compiles a world, and a policy for nobody here writes nothing', async () => {
  const figures = new Map<string, number>()
  await measureCost(worldOf(300, 300), 2, (name, _unit, value) => figures.set(name, value))
  assert.ok((figures.get('compile.entries') ?? 0) > 0)
  assert.ok((figures.get('policy.map-writes') ?? 0) > 0)
  for (const [name, value] of figures) assert.ok(Number.isFinite(value), name)
})
