// DEL, GC and CHECK: what they remove, what they tolerate, what they report.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Scene } from '../../support/cni-scene.ts'

const files = ({ stateDir }: Scene) => readdirSync(join(stateDir, 'endpoints'))

test('DEL removes row, file and kernel state; so do a second one and one without ADD', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  for (const netns of ['', '', '/run/netns/weir-absent', '/etc/hostname']) {
    assert.deepEqual(await scene.call('DEL', { netns }), {
      ...{ exitCode: 0, stdout: '', json: undefined },
    })
    assert.deepEqual([scene.kernel.size, files(scene)], [0, []])
  }
})

test('DEL does not care for prevResult', async () => {
  await using scene = new Scene()
  for (const prevResult of [undefined, null, 'nonsense', 7, [], { ips: 'x' }]) {
    await scene.call('ADD')
    assert.equal((await scene.call('DEL', { config: { prevResult } })).exitCode, 0)
    assert.equal(scene.kernel.size, 0)
  }
})

test('DEL works with another configuration than its ADD had', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  const config = {
    name: 'renamed',
    cniVersion: '0.3.1',
    ipam: { type: 'x' },
    runtimeConfig: { x: 1 },
  }
  assert.equal((await scene.call('DEL', { config })).exitCode, 0)
  assert.equal(scene.kernel.size, 0)
})

test('DEL works while the agent is not ready and when the podCIDR has changed', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  scene.notReady = 'programs are not loaded'
  scene.podCidrs = ['10.0.9.0/24']
  assert.equal((await scene.call('DEL')).exitCode, 0)
  assert.equal(scene.kernel.size, 0)
})

test('DEL frees the address only when the kernel state is gone', async () => {
  await using scene = new Scene({ podCidrs: ['10.0.1.0/30'], waitMs: 300 })
  await scene.call('ADD')
  const release = scene.hold('delete')
  const late = await scene.call('DEL')
  assert.equal(late.json.code, 11)
  assert.match(late.json.msg, /Cannot detach c1\/eth0: the kernel still holds it after 300 ms/)
  assert.equal((await scene.call('ADD', { containerId: 'c2' })).json.code, 11)
  release()
  assert.equal((await scene.call('DEL')).exitCode, 0)
  assert.equal((await scene.call('ADD', { containerId: 'c2' })).exitCode, 0)
})

test('DEL that the kernel refuses says why, keeps the address, and is retried', async () => {
  await using scene = new Scene({ podCidrs: ['10.0.1.0/30'] })
  await scene.call('ADD')
  scene.refuseDelete('Cannot delete veth: Device or resource busy')
  const { json } = await scene.call('DEL')
  assert.equal(json.code, 100)
  assert.equal(json.msg, 'Cannot detach c1/eth0: Cannot delete veth: Device or resource busy')
  assert.equal((await scene.call('ADD')).json.code, 100)
  assert.equal((await scene.call('ADD', { containerId: 'c2' })).json.code, 11)
  assert.deepEqual(files(scene), ['1.json'])
  scene.refuseDelete(undefined)
  while ((await scene.call('DEL')).exitCode !== 0) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.deepEqual([scene.kernel.size, files(scene)], [0, []])
  assert.equal((await scene.call('ADD', { containerId: 'c2' })).exitCode, 0)
})

test('calls of an agent that stops answer 11, and the next agent has the rows', async () => {
  const scene = new Scene()
  await scene.call('ADD')
  const release = scene.hold('delete')
  const del = scene.call('DEL')
  await new Promise((resolve) => setTimeout(resolve, 5))
  const add = scene.call('ADD', { containerId: 'c2' })
  const stopped = scene.stop()
  release()
  await stopped
  assert.equal((await add).json.code, 11)
  assert.equal((await del).exitCode, 0, 'it was in the round that stop() waits for')
  await using after = new Scene({ stateDir: scene.stateDir })
  assert.deepEqual(
    [...after.tables.endpoints.rows()].map(({ containerId }) => containerId),
    ['c2'],
  )
  assert.equal((await after.call('DEL', { containerId: 'c2' })).exitCode, 0)
})

test('DEL of one interface leaves the other of the same container', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  await scene.call('ADD', { ifName: 'net1' })
  await scene.call('DEL')
  assert.deepEqual([...scene.kernel.keys()], ['c1/net1'])
})

test('GC removes what no list names, and only of its network', async () => {
  await using scene = new Scene()
  for (const containerId of ['c1', 'c2', 'c3']) await scene.call('ADD', { containerId })
  await scene.call('ADD', { containerId: 'c4', config: { name: 'other' } })
  const config = {
    'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }],
    'cni.dev/attachments': [{ containerID: 'c2', ifname: 'eth0' }],
  }
  const { exitCode, stdout } = await scene.call('GC', { config })
  assert.deepEqual([exitCode, stdout], [0, ''])
  assert.deepEqual([...scene.kernel.keys()], ['c1/eth0', 'c2/eth0', 'c4/eth0'])
})

test('GC with an empty list removes all of the network; without a list it refuses', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  assert.equal((await scene.call('GC')).json.code, 7)
  const bad = [7, {}, ['c1'], [{ containerID: 'c1' }]]
  for (const list of bad) {
    const config = { 'cni.dev/valid-attachments': list }
    assert.equal((await scene.call('GC', { config })).json.code, 7)
  }
  assert.equal(scene.kernel.size, 1)
  const config = { 'cni.dev/valid-attachments': null }
  assert.equal((await scene.call('GC', { config })).exitCode, 0)
  assert.equal(scene.kernel.size, 0)
})

test('GC goes on after a failure and reports it at the end', async () => {
  await using scene = new Scene({ waitMs: 300 })
  for (const containerId of ['c1', 'c2']) await scene.call('ADD', { containerId })
  const release = scene.hold('delete')
  const { json } = await scene.call('GC', { config: { 'cni.dev/attachments': [] } })
  assert.equal(json.code, 11)
  assert.match(json.msg, /2 of 2 attachments are not gone/)
  assert.match(json.details, /c1\/eth0.*\n.*c2\/eth0/)
  release()
  await scene.reconciler.idle()
  assert.equal(scene.kernel.size, 0)
})

test('CHECK accepts the result of ADD, in every version that has CHECK', async () => {
  await using scene = new Scene()
  for (const cniVersion of ['0.4.0', '1.0.0', '1.1.0']) {
    const containerId = `c-${cniVersion}`
    const { json: prevResult } = await scene.call('ADD', { containerId, config: { cniVersion } })
    const later = structuredClone(prevResult)
    later.interfaces.push({ name: 'lo', sandbox: '/x' })
    later.ips.push({ interface: 2, address: '127.0.0.1/8', version: '4' })
    const check = { containerId, config: { cniVersion, prevResult: later } }
    const { exitCode, stdout } = await scene.call('CHECK', check)
    assert.deepEqual([exitCode, stdout], [0, ''])
  }
})

test('CHECK names every difference, of the result and of the kernel', async () => {
  await using scene = new Scene()
  const { json: prevResult } = await scene.call('ADD')
  const check = async (change: (result: typeof prevResult) => void) => {
    const changed = structuredClone(prevResult)
    change(changed)
    return (await scene.call('CHECK', { config: { prevResult: changed } })).json
  }
  const changes: [(result: typeof prevResult) => void, RegExp][] = [
    [(r) => r.interfaces.splice(1, 1), /no interface eth0 in a sandbox/],
    [(r) => r.interfaces.shift(), /no interface weir/],
    [(r) => (r.interfaces[1].mac = '02:00:00:00:00:00'), /MAC 02:00:00:00:00:00, not/],
    [(r) => r.ips.shift(), /no address 10\.0\.1\.2\/32/],
    [(r) => r.ips.push({ interface: 1, address: '10.0.1.9/32' }), /10\.0\.1\.9\/32, which is not/],
  ]
  for (const [change, text] of changes) {
    const json = await check(change)
    assert.equal(json.code, 102)
    assert.match(json.msg, text)
  }
  scene.differences = ['route 10.0.1.2/32 is missing', 'eth0 is down']
  const json = await check(() => {})
  assert.deepEqual([json.code, json.details], [102, scene.differences.join('\n')])
  assert.equal((await scene.call('CHECK')).json.code, 7, 'without prevResult')
})

test('CHECK of an unknown container is code 3', async () => {
  await using scene = new Scene()
  assert.equal((await scene.call('CHECK', { config: { prevResult: {} } })).json.code, 3)
})

test('STATUS says nothing when pods can be taken', async () => {
  await using scene = new Scene()
  assert.deepEqual((await scene.call('STATUS')).stdout, '')
})
