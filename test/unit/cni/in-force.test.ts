// ADD answers when everything that the pod's first packet needs is in force, and not before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scene } from '../../support/cni-scene.ts'

test('ADD waits until everything is in force for the row that the kernel has', async () => {
  await using scene = new Scene()
  const { promise, resolve } = Promise.withResolvers<void>()
  const asked: (string | undefined)[] = []
  scene.inForce = (row) => {
    asked.push(scene.kernel.get(`${row.containerId}/${row.ifName}`)?.containerId)
    return promise
  }
  let answered = false
  const add = scene.call('ADD').finally(() => {
    answered = true
  })
  while (asked.length === 0) await new Promise((next) => setImmediate(next))
  assert.deepEqual([asked, answered], [['c1'], false])
  resolve()
  assert.equal((await add).exitCode, 0)
})

test('what does not come into force in time is code 11, and nothing is left', async () => {
  await using scene = new Scene({ waitMs: 20 })
  scene.inForce = () => new Promise(() => {})
  const { json } = await scene.call('ADD')
  assert.equal(json.code, 11)
  assert.match(
    json.msg,
    /^Cannot attach c1\/eth0: Services and policy are not in force after 20 ms/,
  )
  await scene.reconciler.idle()
  assert.deepEqual([scene.kernel.size, scene.tables.endpoints.size], [0, 0])
})

test('what cannot come into force fails ADD with the reason', async () => {
  await using scene = new Scene()
  scene.inForce = async () => {
    throw new Error('host port 192.0.2.1:80/TCP: map is full')
  }
  const { json } = await scene.call('ADD')
  assert.equal(json.code, 11)
  assert.equal(json.msg, 'Cannot attach c1/eth0: host port 192.0.2.1:80/TCP: map is full')
  assert.equal(scene.kernel.size, 0)
})

test('DEL while ADD waits for it: the ADD fails, nothing is left', async () => {
  await using scene = new Scene()
  const { promise, resolve } = Promise.withResolvers<void>()
  scene.inForce = () => promise
  const add = scene.call('ADD')
  while (scene.kernel.size === 0) await new Promise((next) => setImmediate(next))
  assert.equal((await scene.call('DEL')).exitCode, 0)
  resolve()
  assert.match((await add).json.msg, /deleted meanwhile/)
  assert.equal(scene.kernel.size, 0)
})
