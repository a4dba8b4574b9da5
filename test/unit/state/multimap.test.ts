// Several values under one key.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Multimap } from '../../../src/state/multimap.ts'

test('a key has the values that were added and not deleted, each once', () => {
  const map = new Multimap<string, number>()
  const read = () => [...map.get('a')]
  assert.deepEqual(read(), [])
  for (const value of [0, 2, 0, 1]) map.add('a', value)
  map.add('b', 9)
  assert.deepEqual(read(), [0, 2, 1])
  map.delete('a', 2)
  map.delete('a', 7)
  assert.deepEqual(read(), [0, 1])
  map.delete('a', 0)
  map.delete('a', 1)
  assert.deepEqual(read(), [])
  map.add('a', 0)
  map.delete('a', 1)
  assert.deepEqual(read(), [0])
  map.delete('a', 0)
  assert.deepEqual([read(), [...map.get('b')]], [[], [9]])
})
