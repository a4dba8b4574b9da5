// What is on disk: endpoints through a restart, a reboot and damage; DELs queued while the agent
// was away.
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Scene } from '../../support/cni-scene.ts'

const freshDir = () => mkdtempSync(join(tmpdir(), 'weir-cni-'))

function queueDel(stateDir: string, name: string, containerId: string, stdin?: string): void {
  const env = {
    ...{ CNI_COMMAND: 'DEL', CNI_CONTAINERID: containerId, CNI_IFNAME: 'eth0' },
    CNI_PATH: '/opt/cni/bin',
  }
  const file = { env, stdin: stdin ?? '{"cniVersion":"1.1.0","name":"weir"}' }
  const path = join(stateDir, 'cni-queue', name)
  writeFileSync(`${path}.tmp`, JSON.stringify(file))
  renameSync(`${path}.tmp`, path)
}

const queued = (stateDir: string) => readdirSync(join(stateDir, 'cni-queue'))

test('a restart brings the same rows back, and goes on with other addresses and ids', async () => {
  const stateDir = freshDir()
  const before = new Scene({ stateDir })
  for (const containerId of ['c1', 'c2', 'c3']) await before.call('ADD', { containerId })
  await before.call('DEL', { containerId: 'c3' })
  await before.stop()
  await using after = new Scene({ stateDir })
  assert.deepEqual([...after.tables.endpoints.rows()], [...before.tables.endpoints.rows()])
  assert.ok(after.tables.endpoints.initialized)
  assert.equal((await after.call('ADD')).json.code, 101)
  await after.call('ADD', { containerId: 'c4' })
  const row = after.kernel.get('c4/eth0')
  assert.deepEqual([row?.id, row?.addresses], [4, ['10.0.1.5', 'fd00:1::5']])
  await after.call('DEL')
  assert.deepEqual([...after.kernel.keys()].sort(), ['c2/eth0', 'c4/eth0'])
})

test('a reboot forgets endpoints, for their namespaces are gone', async () => {
  const stateDir = freshDir()
  const before = new Scene({ stateDir, podCidrs: ['10.0.1.0/30'] })
  await before.call('ADD')
  await before.stop()
  await using after = new Scene({ stateDir, podCidrs: ['10.0.1.0/30'], bootId: 'boot-2' })
  assert.equal(after.tables.endpoints.size, 0)
  assert.equal((await after.call('DEL')).exitCode, 0)
  assert.equal((await after.call('ADD', { containerId: 'c2' })).exitCode, 0)
})

test('an unreadable endpoint file is named, moved aside, and the others go on', async () => {
  const stateDir = freshDir()
  const before = new Scene({ stateDir })
  for (const containerId of ['c1', 'c2', 'c3', 'c4']) await before.call('ADD', { containerId })
  await before.stop()
  const path = (name: string) => join(stateDir, 'endpoints', name)
  writeFileSync(path('1.json'), '{"version":1,')
  writeFileSync(path('2.json'), readFileSync(path('2.json'), 'utf8').replace('10.0.1.3', '10.0.1.'))
  writeFileSync(path('7.json'), readFileSync(path('3.json')))
  writeFileSync(path('4.json'), readFileSync(path('4.json'), 'utf8').replace('"c4"', '"c3"'))
  writeFileSync(path('9.json.tmp'), 'half')
  await using after = new Scene({ stateDir })
  assert.deepEqual(
    [...after.tables.endpoints.rows()].map(({ id }) => id),
    [3],
  )
  assert.deepEqual(readdirSync(join(stateDir, 'endpoints')).sort(), [
    ...['1.json.bad', '2.json.bad', '3.json', '4.json.bad', '7.json.bad'],
  ])
  const warned = after.logged.filter(({ level }) => level === 40)
  assert.deepEqual(warned.map((line) => line['path'] ?? line['endpoint']).sort(), [
    ...[path('1.json'), path('2.json'), path('7.json'), 4],
  ])
})

test('unreadable positions start over without giving out what is in use', async () => {
  const stateDir = freshDir()
  const before = new Scene({ stateDir })
  await before.call('ADD')
  await before.stop()
  writeFileSync(join(stateDir, 'positions.json'), 'nonsense')
  await using after = new Scene({ stateDir })
  await after.call('ADD', { containerId: 'c2' })
  const row = after.kernel.get('c2/eth0')
  assert.deepEqual([row?.id, row?.addresses[0]], [2, '10.0.1.3'])
})

test('a DEL queued while the agent was away is carried out at its start', async () => {
  const stateDir = freshDir()
  const before = new Scene({ stateDir })
  for (const containerId of ['c1', 'c2']) await before.call('ADD', { containerId })
  await before.stop()
  queueDel(stateDir, '1.json', 'c1')
  queueDel(stateDir, '2.json', 'never-seen')
  await using after = new Scene({ stateDir })
  assert.deepEqual(
    [...after.tables.endpoints.rows()].map(({ containerId }) => containerId),
    ['c2'],
  )
  // An ADD of the same attachment comes after the queued DEL, whichever the kernel does first.
  assert.equal((await after.call('ADD')).exitCode, 0)
  assert.deepEqual([...after.kernel.keys()].sort(), ['c1/eth0', 'c2/eth0'])
  assert.deepEqual(queued(stateDir), [])
})

test('a DEL that appears while the agent runs is carried out', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  queueDel(scene.stateDir, '1.json', 'c1')
  while (queued(scene.stateDir).length > 0) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.equal(scene.kernel.size, 0)
})

test('an ADD sees a DEL queued before it, also before the watch has told of it', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  queueDel(scene.stateDir, '1.json', 'c1')
  assert.equal((await scene.call('ADD')).exitCode, 0)
  assert.deepEqual(scene.kernel.get('c1/eth0')?.id, 2)
})

test('a queued DEL stays on disk until the kernel state is gone', async () => {
  const stateDir = freshDir()
  const before = new Scene({ stateDir })
  await before.call('ADD')
  await before.stop()
  queueDel(stateDir, '1.json', 'c1')
  await using after = new Scene({ stateDir, waitMs: 300 })
  const release = after.hold('delete')
  assert.equal((await after.call('DEL')).json.code, 11)
  assert.deepEqual(queued(stateDir), ['1.json'])
  release()
  assert.equal((await after.call('DEL')).exitCode, 0)
  assert.deepEqual(queued(stateDir), [])
})

test('a bad file in the queue is named and moved aside, the others go on', async () => {
  const stateDir = freshDir()
  const before = new Scene({ stateDir })
  await before.call('ADD')
  await before.stop()
  const dir = join(stateDir, 'cni-queue')
  writeFileSync(join(dir, '1.json'), 'nonsense')
  writeFileSync(join(dir, '2.json'), '{"env":{"CNI_COMMAND":"ADD"},"stdin":"{}"}')
  queueDel(stateDir, '3.json', '../../etc')
  queueDel(stateDir, '4.json', 'c1', 'not json')
  queueDel(stateDir, '5.json', 'c1')
  writeFileSync(join(dir, 'half.tmp'), 'x')
  writeFileSync(join(dir, 'old.tmp'), 'x')
  utimesSync(join(dir, 'old.tmp'), 0, 0)
  await using after = new Scene({ stateDir })
  while (existsSync(join(dir, '5.json'))) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.deepEqual(queued(stateDir).sort(), [
    ...['1.json.bad', '2.json.bad', '3.json.bad', '4.json.bad', 'half.tmp'],
  ])
  assert.equal(after.kernel.size, 0)
  const warned = after.logged.filter(({ level }) => level === 40).map((line) => line['path'])
  assert.deepEqual(
    warned,
    ['1', '2', '3', '4'].map((name) => join(dir, `${name}.json`)),
  )
})
