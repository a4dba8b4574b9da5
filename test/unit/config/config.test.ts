// Settings from flags and environment.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, readConfig } from '../../../src/config.ts'

test('readConfig() fills in defaults', () => {
  const config = readConfig(['--node-name', 'a', '--manifests', '/m'], {})
  assert.equal(config.bpfRoot, '/sys/fs/bpf/weir')
  assert.equal(config.routing, 'auto')
  assert.equal(config.socketServices, true)
  assert.equal(config.overlayPort, 8472)
  assert.deepEqual(config.http, { host: '127.0.0.1', port: 9464 })
  assert.equal('mtu' in config, false)
  assert.ok(Object.isFrozen(config))
})

test('readConfig() takes the environment, and flags win over it', () => {
  const env = {
    WEIR_MANIFESTS: '/m',
    WEIR_NODE_NAME: 'from-env',
    WEIR_ROUTING: 'vxlan',
    WEIR_SOCKET_SERVICES: 'false',
  }
  const config = readConfig(['--routing', 'native', '--uplink', 'eth0,eth1', '--mtu', '1400'], env)
  assert.equal(config.nodeName, 'from-env')
  assert.equal(config.routing, 'native')
  assert.equal(config.socketServices, false)
  assert.deepEqual(config.uplinks, ['eth0', 'eth1'])
  assert.equal(config.mtu, 1400)
})

test('readConfig() reports everything wrong at once', () => {
  const argv = [
    '--manifests',
    '/m',
    '--node-name',
    'Big',
    '--routing',
    'magic',
    '--http',
    'nowhere',
    '--mtu',
    '-1',
  ]
  assert.throws(
    () => readConfig(argv, {}),
    (error: Error) => {
      assert.ok(error instanceof ConfigError)
      const lines = error.message.split('\n')
      assert.equal(lines.length, 4)
      for (const name of ['node-name', 'routing', 'http', 'mtu']) {
        assert.ok(error.message.includes(`--${name} `), name)
      }
      return true
    },
  )
})

test('readConfig() refuses an unknown flag in one sentence', () => {
  assert.throws(
    () => readConfig(['--colour', 'red'], {}),
    /^Error: Cannot start the agent: unknown option '--colour'/,
  )
})

test('readConfig() reads IPv6 and bare-port listen addresses', () => {
  const at = (http: string) =>
    readConfig(['--manifests', '/m', '--node-name', 'a', '--http', http], {}).http
  assert.deepEqual(at('[::1]:80'), { host: '::1', port: 80 })
  assert.deepEqual(at(':80'), { host: '::', port: 80 })
})

test('readConfig() takes an API server in place of manifests, but not both', () => {
  const at = (...argv: string[]) => readConfig(['--node-name', 'a', ...argv], {})
  assert.deepEqual(at().apiServers, [])
  assert.equal('manifests' in at(), false)
  const servers = at('--api-server', 'https://10.0.0.1:6443,https://[fd00::1]:6443').apiServers
  assert.deepEqual(servers, ['https://10.0.0.1:6443', 'https://[fd00::1]:6443'])
  assert.equal(at('--kubeconfig', '/k').kubeconfig, '/k')
  assert.throws(() => at('--api-server', '10.0.0.1'), /--api-server "10.0.0.1": must be URLs/)
  assert.throws(() => at('--api-server', 'https://a', '--manifests', '/m'), /together with/)
})

test('readConfig() takes the node name that a DaemonSet passes down', () => {
  assert.equal(readConfig([], { NODE_NAME: 'n1' }).nodeName, 'n1')
  assert.equal(readConfig([], { NODE_NAME: 'n1', WEIR_NODE_NAME: 'n2' }).nodeName, 'n2')
})
