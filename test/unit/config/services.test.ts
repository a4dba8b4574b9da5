// The settings of Services and of masquerading.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '../../../src/config.ts'

const read = (...argv: string[]) => readConfig(['--node-name', 'a', ...argv], {})

test('Services have defaults', () => {
  const config = read()
  assert.deepEqual(
    [config.balancing, config.forwarding, config.maglevSize],
    ['random', 'snat', 1021],
  )
  assert.equal(config.xdp, 'auto')
  assert.deepEqual(config.nodePortAddresses, [])
  assert.deepEqual([config.nodePortLocalhost, config.externalIps], [false, true])
  assert.equal(config.masquerade, true)
  assert.equal('masqueradeConfig' in config, false)
  assert.deepEqual(config.masqueradePorts, { first: 16_384, last: 29_999 })
  assert.deepEqual(config.healthz, { host: '::', port: 10_256 })
})

test('Services take what is set', () => {
  const config = read(
    ...['--balancing', 'maglev', '--forwarding', 'dsr', '--maglev-size', '251', '--xdp', 'native'],
    ...['--nodeport-addresses', '10.0.0.0/8, fd00::/8', '--nodeport-localhost', 'true'],
    ...['--external-ips', 'false', '--masquerade', 'false', '--masquerade-ports', '1024-2047'],
    ...['--masquerade-config', '/etc/masq/config', '--healthz', '127.0.0.1:1'],
  )
  assert.deepEqual([config.balancing, config.forwarding, config.maglevSize], ['maglev', 'dsr', 251])
  assert.equal(config.xdp, 'native')
  assert.deepEqual(config.nodePortAddresses, ['10.0.0.0/8', 'fd00::/8'])
  assert.deepEqual([config.nodePortLocalhost, config.externalIps], [true, false])
  assert.deepEqual(config.masqueradePorts, { first: 1024, last: 2047 })
  assert.equal(config.masqueradeConfig, '/etc/masq/config')
  assert.deepEqual(config.healthz, { host: '127.0.0.1', port: 1 })
})

test('NodePorts may be on the primary addresses', () => {
  assert.equal(read('--nodeport-addresses', 'primary').nodePortAddresses, 'primary')
})

const NODE_PORTS = 'must be primary, or prefixes like 10.0.0.0/8, comma separated'

for (const [flag, text, fault] of [
  ['maglev-size', '1000', 'must be a prime, as 251, 1021 or 16381'],
  ['maglev-size', '1', 'must be a whole number from 3 to 131071'],
  ['max-frontends', '1', 'must be a whole number from 256 to 16777216'],
  ['max-backends', 'many', 'must be a whole number from 1024 to 67108864'],
  ['balancing', 'fair', 'must be one of random, maglev'],
  ['forwarding', 'nat', 'must be one of snat, dsr'],
  ['xdp', 'on', 'must be one of auto, native, generic, off'],
  ...(['10.0.0.1', 'primary,10.0.0.0/8', 'secondary'] as const).map(
    (text) => ['nodeport-addresses', text, NODE_PORTS] as const,
  ),
  ['masquerade-ports', '30000-20000', 'must be a range of ports like 16384-29999'],
  ['masquerade-ports', '0-9', 'must be a range of ports like 16384-29999'],
  ['masquerade-ports', '1-70000', 'must be a range of ports like 16384-29999'],
  ['healthz', '10256', 'must be of the form ADDRESS:PORT'],
  ['external-ips', 'yes', 'must be one of true, false'],
] as const) {
  test(`--${flag} refuses ${text}`, () => {
    assert.throws(() => read(`--${flag}`, text), {
      message: `Cannot use --${flag} "${text}": ${fault}`,
    })
  })
}
