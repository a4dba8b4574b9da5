// The agent is away, restarts, dies in the middle, or talks nonsense: what the runtime hears, and
// that nothing is lost.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Place } from './place.ts'
import { BINARY, buildPlugin, SANITIZED } from './plugin.ts'
import { PretendedAgent } from './pretended-agent.ts'

before(buildPlugin)

test('agent away: 11 for ADD, CHECK and GC, 50 for STATUS, DEL is queued', async () => {
  using place = new Place()
  writeFileSync(place.socket, '') // a stale file where the socket was: nobody listens
  for (const binary of [BINARY, SANITIZED]) {
    const plugin = place.plugin(binary)
    const config = { agentWaitMs: 1 }
    for (const [verb, code] of Object.entries({ ADD: 11, CHECK: 11, GC: 11, STATUS: 50 })) {
      const { exitCode, json } = await plugin.run(verb, { config })
      assert.deepEqual([exitCode, json.code], [1, code], verb)
      assert.equal(json.msg, `Cannot reach weir-agent at ${place.socket}: Connection refused`)
    }
    const { exitCode, stdout } = await plugin.run('DEL', { netns: '' })
    assert.deepEqual([exitCode, stdout], [0, ''])
  }
  assert.equal(place.queued().length, 2)
})

test('DELs queued while the agent was away are carried out when it starts', async () => {
  using place = new Place()
  const plugin = place.plugin()
  const first = await PretendedAgent.listen(place.socket, { stateDir: place.stateDir })
  for (const containerId of ['c1', 'c2']) await plugin.run('ADD', { containerId })
  await first.stop()
  const env = { CNI_ARGS: 'K8S_POD_NAME=quoted"\\é;IgnoreUnknown=1' }
  assert.equal((await plugin.run('DEL', { env })).exitCode, 0)
  assert.equal((await plugin.run('DEL')).exitCode, 0)
  assert.equal(place.queued().length, 2)
  await using second = await PretendedAgent.listen(place.socket, { stateDir: place.stateDir })
  assert.equal((await plugin.run('ADD')).exitCode, 0, 'the attachment is free again')
  assert.deepEqual([...second.scene.kernel.keys()].sort(), ['c1/eth0', 'c2/eth0'])
  assert.deepEqual(place.queued(), [])
})

test('DEL that cannot be queued is an error', async () => {
  using place = new Place()
  writeFileSync(place.stateDir, 'a file')
  const { exitCode, json } = await place.plugin(SANITIZED).run('DEL')
  assert.deepEqual([exitCode, json.code], [1, 5])
  assert.equal(json.msg, `Cannot queue DEL in ${place.stateDir}/cni-queue: Not a directory`)
})

test('ADD waits for an agent that restarts', async () => {
  using place = new Place()
  const adding = place.plugin().run('ADD')
  await sleep(100)
  await using agent = await PretendedAgent.listen(place.socket, { stateDir: place.stateDir })
  assert.equal((await adding).exitCode, 0)
  assert.equal(agent.scene.kernel.size, 1)
})

test('the binary may be replaced by rename while it runs', async () => {
  using place = new Place()
  const path = join(place.dir, 'weir-cni')
  copyFileSync(BINARY, path)
  const plugin = place.plugin(path)
  const adding = plugin.run('ADD')
  await sleep(100)
  copyFileSync(BINARY, `${path}.new`)
  renameSync(`${path}.new`, path)
  await using _agent = await PretendedAgent.listen(place.socket, { stateDir: place.stateDir })
  assert.equal((await adding).exitCode, 0)
  assert.equal((await plugin.run('ADD', { containerId: 'c2' })).exitCode, 0)
})

test('agent killed in the middle of ADD: 11, and the DEL that follows leaves nothing', async () => {
  using place = new Place()
  const program = join(import.meta.dirname, 'pretended-agent.ts')
  const args = [program, place.socket, place.stateDir, 'hold']
  const doomed = spawn(process.execPath, args, { stdio: 'inherit' })
  const exited = once(doomed, 'exit')
  try {
    const adding = place.plugin(SANITIZED).run('ADD')
    while (!existsSync(join(place.stateDir, 'endpoints', '1.json'))) await sleep(5)
    doomed.kill('SIGKILL')
    const { exitCode, json } = await adding
    assert.deepEqual([exitCode, json.code], [1, 11])
    assert.match(json.msg, /it went away before it answered|Connection reset by peer/)
  } finally {
    doomed.kill('SIGKILL')
    await exited
  }
  const plugin = place.plugin()
  assert.equal((await plugin.run('DEL')).exitCode, 0, 'queued')
  const podCidrs = ['10.0.1.0/30']
  const options = { stateDir: place.stateDir, podCidrs, bootId: 'boot-1' }
  await using agent = await PretendedAgent.listen(place.socket, options)
  const again = await plugin.run('ADD', { containerId: 'c2' })
  assert.equal(again.json?.ips?.[0]?.address, '10.0.1.2/32', 'the only address is free')
  assert.deepEqual([...agent.scene.kernel.keys()], ['c2/eth0'])
  assert.equal(place.endpointFiles().length, 1)
})

test('100 ADDs at once, from processes of their own', async () => {
  using place = new Place()
  const plugin = place.plugin()
  await using agent = await PretendedAgent.listen(place.socket, { stateDir: place.stateDir })
  const ids = Array.from({ length: 100 }, (_, i) => `c${i}`)
  const added = await Promise.all(ids.map((containerId) => plugin.run('ADD', { containerId })))
  assert.deepEqual([...new Set(added.map(({ exitCode }) => exitCode))], [0])
  const addresses = added.flatMap(({ json }) =>
    json.ips.map((ip: { address: string }) => ip.address),
  )
  assert.equal(new Set(addresses).size, 200)
  const config = { 'cni.dev/valid-attachments': [] }
  assert.equal((await plugin.run('GC', { config })).exitCode, 0)
  assert.deepEqual([agent.scene.kernel.size, place.endpointFiles()], [0, []])
})

test('an agent that is starting (503) is waited for; nonsense is code 11', async () => {
  const ok = 'HTTP/1.1 200 OK\r\nx-cni-exit: 0\r\ncontent-length: 3\r\n\r\n{}\n'
  const responses: [string, number | 'ok'][] = [
    ['', 11],
    ['nonsense', 11],
    ['HTTP/1.1 200 OK\r\n\r\n{}', 11],
    ['HTTP/1.1 200 OK\r\nX-Cni-Exit: none\r\n\r\n{}', 11],
    ['HTTP/1.1 200 OK\r\nX-Cni-Exit: 0\r\nContent-Length: 9\r\n\r\n{}', 11],
    ['HTTP/1.1 500 Oh\r\nX-Cni-Exit: 0\r\n\r\n{}', 11],
    ['HTTP/1.1 200 OK\r\nX-Cni-Exit: 0\r\n\0\r\n\r\n{}', 11],
    ['HTTP/1.0 200 OK\r\nX-Cni-Exit: 0\r\n\r\n{}', 'ok'],
    [`HTTP/1.1 200 OK\r\nX-Cni-Exit: 0\r\n\r\n${'x'.repeat(5 << 20)}`, 11],
    [ok, 'ok'],
  ]
  for (const [response, expected] of responses) {
    using place = new Place()
    let calls = 0
    const server = createServer((connection) => {
      connection.on('error', () => undefined)
      connection.once('data', () => {
        connection.end(calls++ === 0 ? 'HTTP/1.1 503 Starting\r\n\r\n' : response)
      })
    })
    server.listen(place.socket)
    await once(server, 'listening')
    const result = await place.plugin(SANITIZED).run('ADD')
    server.close()
    assert.ok(calls >= 2)
    const label = response.slice(0, 60)
    if (expected === 'ok') assert.deepEqual([result.exitCode, result.json], [0, {}], label)
    else assert.deepEqual([result.exitCode, result.json?.code], [1, expected], label)
  }
})
