// weir-cni with random standard input and variables, under ASan and UBSan: it may refuse, it may
// not crash, and what it refuses it refuses in JSON. Seeded, so that a failure can be repeated.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { before, test } from 'node:test'
import { SOME_NETNS } from '../support/cni-scene.ts'
import { below, bytes, fuzzSeed, pick, randomFrom } from '../support/random.ts'
import { Place } from './place.ts'
import { buildPlugin, type PluginResult, SANITIZED } from './plugin.ts'
import { PretendedAgent } from './pretended-agent.ts'

const ROUNDS = 150
const VERBS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'VERSIO', 'add']
const VARIABLES = ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_PATH']
const VALUES = [
  ...['', 'c1', 'eth0', SOME_NETNS, '/', '..', 'K8S_POD_NAME=x;IgnoreUnknown=1', ';;=;', '%s%n'],
  ...['é', '\u{1f980}', '\n', '\r\n\r\n', '\u007f', 'x'.repeat(300), 'x'.repeat(20_000)],
]
const PIECES = [
  ...['{', '}', '[', ']', '"', ':', ',', 'null', '1e400', '-0', '99999999999999999999', '\\u0000'],
  ...['"cniVersion"', '"1.1.0"', '"name"', '"weir"', '"socket"', '"stateDir"', '"prevResult"'],
  ...['\\ud800', '\u0000', '\ufeff', '"agentWaitMs":-1', '"agentWaitMs":1e99', '{}', '\\'],
]

before(buildPlugin)

const seed = fuzzSeed()

test(`random calls do not crash weir-cni (SEED=${seed})`, async () => {
  const random = randomFrom(seed)
  using place = new Place()
  await using _agent = await PretendedAgent.listen(place.socket, { stateDir: place.stateDir })
  const plugin = place.plugin(SANITIZED)
  for (let round = 0; round < ROUNDS; round++) {
    const env = Object.fromEntries(
      VARIABLES.filter(() => random() < 0.5).map((name) => [name, pick(random, VALUES)]),
    )
    const stdin = randomConfig(random, place)
    const verb = pick(random, VERBS)
    const result = await plugin.run(verb, { env, stdin })
    assertSane(result, JSON.stringify({ verb, env, stdin: stdin.toString('latin1') }))
  }
})

test('variables that are not UTF-8 do not crash weir-cni', () => {
  using place = new Place()
  const { socket, stateDir } = place
  const config = JSON.stringify({
    cniVersion: '1.1.0',
    name: 'weir',
    socket,
    stateDir,
    agentWaitMs: 1,
  })
  for (const verb of ['ADD', 'DEL', '$bad']) {
    const all = [...VARIABLES.map((name) => `${name}=$bad`), `CNI_COMMAND=${verb}`].join(' ')
    const script = `bad=$(printf '\\377\\376'); ${all} exec "$0"`
    const child = spawnSync('sh', ['-c', script, SANITIZED], { input: config, encoding: 'utf8' })
    assert.deepEqual([child.signal, child.stderr], [null, ''])
    if (verb !== 'DEL') assert.equal(child.status, 1)
    if (child.status === 1) assert.equal(typeof JSON.parse(child.stdout).msg, 'string')
  }
})

/**
 * A configuration with bytes changed, one with a pile of JSON pieces in it, or plain noise.
 * Whatever parses names our own socket and state directory, last and so for good: a call must not
 * reach a real agent.
 */
function randomConfig(random: () => number, { socket, stateDir }: Place): Buffer {
  const ours = `"socket":"${socket}","stateDir":"${stateDir}","agentWaitMs":1}`
  const shape = random()
  if (shape < 0.1) return Buffer.from(bytes(random, below(random, 300)).map((byte) => byte | 0x80))
  if (shape < 0.4) {
    const pieces = Array.from({ length: below(random, 12) }, () => pick(random, PIECES))
    return Buffer.from(`{"name":"weir","x":${pieces.join('')},${ours}`)
  }
  const head = Buffer.from('{"cniVersion":"1.1.0","name":"weir",')
  const flips = below(random, 4)
  for (let flip = 0; flip < flips; flip++) head[below(random, head.length)] = below(random, 256)
  return Buffer.concat([head, Buffer.from(ours)])
}

function assertSane(result: PluginResult, call: string): void {
  assert.equal(result.signal, null, call)
  assert.ok(result.exitCode === 0 || result.exitCode === 1, `exit ${result.exitCode}: ${call}`)
  assert.doesNotMatch(result.stderr, /Sanitizer|runtime error/, call)
  if (result.exitCode === 1) assert.equal(typeof result.json?.code, 'number', call)
}
