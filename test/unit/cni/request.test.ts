// Validation: what is refused, with which code, before anything happens.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cniCallFromHttp } from '../../../src/cni/http.ts'
import { Scene } from '../../support/cni-scene.ts'

test('a missing variable is code 4 and every missing one is named', async () => {
  await using scene = new Scene()
  const unset = { CNI_CONTAINERID: '', CNI_NETNS: '', CNI_IFNAME: '', CNI_PATH: '' }
  const wanted = {
    ADD: 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH',
    CHECK: 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH',
    DEL: 'CNI_CONTAINERID, CNI_IFNAME, CNI_PATH',
    GC: 'CNI_PATH',
    STATUS: 'CNI_PATH',
  }
  for (const [verb, names] of Object.entries(wanted)) {
    const { json } = await scene.call(verb, { env: unset })
    assert.deepEqual([json.code, json.msg], [4, `Cannot run ${verb}: not set: ${names}`])
  }
  assert.equal((await scene.call('NONSENSE')).json.code, 4)
})

test('names outside the allowed characters are refused', async () => {
  await using scene = new Scene()
  for (const containerId of ['../x', '-a', 'a/b', 'a b', '.a', 'ä']) {
    assert.equal((await scene.call('DEL', { containerId })).json.code, 4, containerId)
  }
  for (const ifName of ['.', '..', 'a/b', 'a:b', 'a b', 'sixteen-bytes-16', 'äääääääé']) {
    assert.equal((await scene.call('ADD', { ifName })).json.code, 4, ifName)
  }
  const config = { name: 'a/b' }
  assert.equal((await scene.call('ADD', { config })).json.code, 7)
  assert.equal((await scene.call('ADD', { stdin: '{"cniVersion":"1.0.0"}' })).json.code, 7)
  assert.equal((await scene.call('ADD', { ifName: 'fifteen-bytes15' })).exitCode, 0)
})

test('a configuration that is no JSON object is code 6', async () => {
  await using scene = new Scene()
  for (const stdin of ['', '{', '[]', '"text"', 'null', '7']) {
    assert.equal((await scene.call('ADD', { stdin })).json.code, 6, stdin)
    assert.equal((await scene.call('DEL', { stdin })).json.code, 6, stdin)
  }
})

test('an unknown cniVersion is code 1, and errors are given in the version asked for', async () => {
  await using scene = new Scene()
  for (const cniVersion of ['0.0.9', '2.0.0', '1.1', 'latest', 7, null]) {
    const { json } = await scene.call('ADD', { config: { cniVersion } })
    assert.deepEqual([json.code, json.cniVersion], [1, '1.1.0'], String(cniVersion))
  }
  const config = { cniVersion: '0.3.1' }
  const { json } = await scene.call('ADD', { config, netns: '/absent' })
  assert.deepEqual([json.code, json.cniVersion], [3, '0.3.1'])
})

test('a verb younger than the configuration is code 1', async () => {
  await using scene = new Scene()
  const young = { CHECK: '0.3.1', GC: '1.0.0', STATUS: '1.0.0' }
  for (const [verb, cniVersion] of Object.entries(young)) {
    const { json } = await scene.call(verb, { config: { cniVersion } })
    assert.equal(json.code, 1, verb)
  }
})

test('CNI_ARGS: unknown keys are errors unless IgnoreUnknown says otherwise', async () => {
  await using scene = new Scene()
  const add = (CNI_ARGS: string) => scene.call('ADD', { env: { CNI_ARGS } })
  assert.deepEqual(
    (await add('FOO=1;BAR=2')).json.msg,
    'Cannot read CNI_ARGS: unknown keys: FOO, BAR',
  )
  assert.equal((await add('FOO=1;IgnoreUnknown=false')).json.code, 4)
  assert.equal((await add('novalue')).json.code, 4)
  assert.equal((await add('=x')).json.code, 4)
  assert.equal((await add('FOO=a=b;IgnoreUnknown=TRUE;')).exitCode, 0)
  assert.equal((await scene.call('DEL', { env: { CNI_ARGS: 'FOO=1' } })).exitCode, 0)
})

test('VERSION lists every version, without a configuration', async () => {
  await using scene = new Scene()
  const { exitCode, json } = await scene.call('VERSION', { stdin: '' })
  assert.equal(exitCode, 0)
  assert.deepEqual(json, {
    cniVersion: '1.1.0',
    supportedVersions: ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
  })
})

test('an unexpected failure is an answer too, code 999', async () => {
  await using scene = new Scene()
  await scene.call('ADD')
  // biome-ignore lint/suspicious/noExplicitAny: a broken dependency
  scene.differences = undefined as any
  const prevResult = {}
  const { exitCode, json } = await scene.call('CHECK', { config: { prevResult } })
  assert.deepEqual([exitCode, json.code], [1, 999])
})

test('cniCallFromHttp() gives variables their names back', () => {
  const headers = {
    host: 'weir',
    'x-cni-command': 'ADD',
    'x-cni-netns-override': '1',
    'x-cni-args': Buffer.from('K8S_POD_NAME=é').toString('latin1'),
  }
  assert.deepEqual(cniCallFromHttp(headers, '{}'), {
    env: { CNI_COMMAND: 'ADD', CNI_NETNS_OVERRIDE: '1', CNI_ARGS: 'K8S_POD_NAME=é' },
    stdin: '{}',
  })
})
