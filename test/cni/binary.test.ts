// weir-cni and the agent's CNI half together, over a real socket; the kernel is pretended. Every
// test runs with the binary as shipped and with the sanitized one.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { VERSIONS } from '../../src/cni/versions.ts'
import { golden } from '../support/cni-golden.ts'
import { SOME_NETNS } from '../support/cni-scene.ts'
import { Place } from './place.ts'
import { BINARY, buildPlugin, type PluginCall, SANITIZED } from './plugin.ts'
import { PretendedAgent } from './pretended-agent.ts'

before(buildPlugin)

for (const binary of [BINARY, SANITIZED]) {
  describe(binary.endsWith('sanitized') ? 'weir-cni, sanitized' : 'weir-cni', () => verbs(binary))
}

function verbs(binary: string): void {
  async function scene() {
    const place = new Place()
    const agent = await PretendedAgent.listen(place.socket, { stateDir: place.stateDir })
    return { place, agent, plugin: place.plugin(binary), kernel: agent.scene.kernel }
  }

  for (const version of VERSIONS) {
    test(`ADD answers in the shape of ${version}`, async () => {
      const { place, agent, plugin, kernel } = await scene()
      using _place = place
      await using _agent = agent
      const config = { cniVersion: version }
      const result = await plugin.run('ADD', { config })
      assert.deepEqual([result.exitCode, result.stderr], [0, ''])
      const row = kernel.get('c1/eth0')
      assert.ok(row)
      const { hostIfName, mac, hostMac } = row
      const names = {
        ...{ netns: SOME_NETNS, hostIfName, mac, hostMac },
        ...{ address4: '10.0.1.2', address6: 'fd00:1::2' },
        ...{ gateway4: '10.0.1.1', gateway6: 'fd00:1::1' },
      }
      assert.deepEqual(JSON.parse(JSON.stringify({ ...result.json, interfaces: undefined })), {
        ...JSON.parse(JSON.stringify({ ...golden(version, names), interfaces: undefined })),
      })
      const { interfaces } = golden(version, names) as { interfaces?: object }
      assert.deepEqual(result.json.interfaces, interfaces)
      const again = await plugin.run('ADD', { config })
      assert.deepEqual([again.exitCode, again.json.code, again.json.cniVersion], [1, 101, version])
    })
  }

  test('DEL, CHECK, GC and STATUS print nothing when all is well', async () => {
    const { place, agent, plugin, kernel } = await scene()
    using _place = place
    await using _agent = agent
    const { json: prevResult } = await plugin.run('ADD')
    const quiet: [string, PluginCall][] = [
      ['STATUS', {}],
      ['CHECK', { config: { prevResult } }],
      ['GC', { config: { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] } }],
      ['DEL', { netns: '', config: { prevResult } }],
      ['DEL', {}],
    ]
    for (const [verb, call] of quiet) {
      const { exitCode, stdout, stderr } = await plugin.run(verb, call)
      assert.deepEqual([exitCode, stdout, stderr], [0, '', ''], verb)
    }
    assert.equal(kernel.size, 0)
  })

  test('variables, arguments and the error of the agent arrive whole', async () => {
    const { place, agent, plugin, kernel } = await scene()
    using _place = place
    await using _agent = agent
    const ifName = 'fifteen-bytes-é'.slice(0, 14)
    const CNI_ARGS = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-é;K8S_POD_UID=u'
    const added = await plugin.run('ADD', { ifName: `${ifName}5`, env: { CNI_ARGS } })
    assert.equal(added.exitCode, 0, added.stdout)
    const row = kernel.get(`c1/${ifName}5`)
    assert.deepEqual([row?.podNamespace, row?.podName, row?.podUid], ['shop', 'web-é', 'u'])
    const own = await plugin.run('ADD', { netns: '/proc/self/ns/net' })
    assert.equal(own.json.code, 8)
    const env = { CNI_NETNS_OVERRIDE: 'true' }
    assert.equal((await plugin.run('ADD', { netns: '/proc/self/ns/net', env })).exitCode, 0)
    agent.scene.refuse('Cannot create veth "x": no \\ way')
    const refused = await plugin.run('ADD', { containerId: 'c2' })
    assert.equal(refused.json.msg, 'Cannot attach c2/eth0: Cannot create veth "x": no \\ way')
  })

  test('VERSION is answered as the agent would, with the version asked for', async () => {
    using place = new Place()
    const plugin = place.plugin(binary)
    const { exitCode, json } = await plugin.run('VERSION', { stdin: '{"cniVersion":"0.4.0"}' })
    assert.equal(exitCode, 0)
    assert.deepEqual(json, { cniVersion: '0.4.0', supportedVersions: VERSIONS })
    for (const stdin of ['', 'nonsense', '[]', '{"cniVersion":7}']) {
      assert.equal((await plugin.run('VERSION', { stdin })).json.cniVersion, '1.1.0')
    }
  })

  test('an empty CNI_COMMAND prints what this is on stderr', async () => {
    using place = new Place()
    for (const CNI_COMMAND of ['', undefined]) {
      const result = await place.plugin(binary).run('', { env: { CNI_COMMAND } })
      assert.deepEqual([result.exitCode, result.stdout], [0, ''])
      assert.match(
        result.stderr,
        /^CNI weir plugin v\d+\.\d+\.\d+\nCNI protocol versions .*1\.1\.0\n$/,
      )
    }
  })

  test('missing variables are code 4 and all named, also without an agent', async () => {
    using place = new Place()
    const none = { CNI_CONTAINERID: '', CNI_NETNS: undefined, CNI_IFNAME: '', CNI_PATH: undefined }
    const wanted = {
      ADD: 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH',
      CHECK: 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH',
      DEL: 'CNI_CONTAINERID, CNI_IFNAME, CNI_PATH',
      GC: 'CNI_PATH',
      STATUS: 'CNI_PATH',
    }
    for (const [verb, names] of Object.entries(wanted)) {
      const { exitCode, json } = await place.plugin(binary).run(verb, { env: none })
      assert.deepEqual([exitCode, json.code], [1, 4])
      assert.equal(json.msg, `Cannot run ${verb}: not set: ${names}`)
    }
    assert.equal((await place.plugin(binary).run('PING')).json.code, 4)
  })

  test('a variable cannot smuggle in a header, nor grow without end', async () => {
    const { place, agent, plugin } = await scene()
    using _place = place
    await using _agent = agent
    const smuggled = 'IgnoreUnknown=1\r\nX-Cni-Netns-Override: 1'
    for (const CNI_ARGS of [smuggled, 'a=\t', 'a=\u007f', `a=${'x'.repeat(13_000)}`]) {
      const { json } = await plugin.run('ADD', { netns: '/proc/self/ns/net', env: { CNI_ARGS } })
      assert.equal(json.code, 4)
      assert.match(json.msg, /^Cannot use CNI_ARGS/)
    }
    const CNI_ARGS = `IgnoreUnknown=1;a=${'x'.repeat(11_000)}`
    assert.equal((await plugin.run('ADD', { env: { CNI_ARGS } })).exitCode, 0)
  })

  test('bad and oversized configurations are errors, also without an agent', async () => {
    using place = new Place()
    const plugin = place.plugin(binary)
    for (const stdin of ['', '{', '[]', '7', '\u0000', '[['.repeat(5000)]) {
      const { exitCode, json } = await plugin.run('DEL', { stdin })
      assert.deepEqual([exitCode, json.code], [1, 6], stdin.slice(0, 9))
    }
    const huge = await plugin.run('ADD', { stdin: Buffer.alloc(2 << 20, ' ') })
    assert.equal(huge.json.code, 5)
    assert.match(huge.json.msg, /above 1048576 bytes/)
    const config = { socket: `/${'x'.repeat(200)}` }
    assert.equal((await plugin.run('ADD', { config })).json.code, 7)
  })

  test('a configuration of nearly the limit is carried', async () => {
    const { place, agent, plugin } = await scene()
    using _place = place
    await using _agent = agent
    const padding = 'x'.repeat(1_000_000)
    assert.equal((await plugin.run('ADD', { config: { padding } })).exitCode, 0)
  })
}
