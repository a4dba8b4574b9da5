// `weir` against a node of a lab: real agent, real maps; and what is left of it when the agent
// dies.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { stopAgent } from '../../src/lab/agents.ts'
import { readRecord } from '../../src/lab/record.ts'
import { type Run, weir } from '../unit/cli/run-weir.ts'
import { lab, mustLab } from './lab.ts'

const NAME = 'weir-test-cli'
const NAMED = ['--name', NAME] as const
const DIRECTORY = mkdtempSync(join(tmpdir(), 'weir-cli-'))

before(async () => {
  await mustLab('down', ...NAMED)
  await mustLab('up', ...NAMED)
  await mustLab('apply', ...NAMED, '-f', `${import.meta.dirname}/../../deploy/examples`)
})

after(async () => {
  rmSync(DIRECTORY, { recursive: true })
  await mustLab('down', ...NAMED)
})

function onNode(...args: readonly string[]): Promise<Run> {
  return weir(args, { env: { WEIR_LAB_NODE: `${NAME}/node1` } })
}

async function json<T>(...args: readonly string[]): Promise<T> {
  return jsonOn('node1', ...args)
}

async function jsonOn<T>(node: string, ...args: readonly string[]): Promise<T> {
  const env = { WEIR_LAB_NODE: `${NAME}/${node}` }
  const { code, stdout, stderr } = await weir([...args, '--json'], { env })
  assert.deepEqual([code, stderr], [0, ''])
  return JSON.parse(stdout) as T
}

interface View {
  readonly drift: string
  readonly status: string
}

test('status of a node at work is ok', async () => {
  assert.deepEqual((await json<{ wrong: string[] }>('status')).wrong, [])
})

test('endpoints, services and nodes are as wanted', async () => {
  for (const kind of ['endpoint', 'service', 'node']) {
    const views = await json<View[]>(kind, 'list')
    assert.ok(views.length > 1, kind)
    assert.deepEqual([...new Set(views.map(({ drift }) => drift))], ['ok'], kind)
  }
})

test('map list, dump and get show one and the same map', async () => {
  const maps = await json<{ name: string; entries?: number }[]>('map', 'list')
  const endpoints = await json<{ key: { address: string }; keyHex: string }[]>(
    ...['map', 'dump', 'endpoints'],
  )
  assert.equal(maps.find(({ name }) => name === 'endpoints')?.entries, endpoints.length)
  const [first] = endpoints
  assert.ok(first)
  const byField = await json('map', 'get', 'endpoints', `address=${first.key.address}`)
  assert.deepEqual(byField, [first])
  assert.deepEqual(await json('map', 'get', 'endpoints', first.keyHex), [first])
})

test('program list shows what is attached to the uplink and to pods', async () => {
  const { code, stdout } = await onNode('program', 'list')
  assert.equal(code, 0)
  assert.match(stdout, /^PROGRAM +ID +HOOK +ON +VERIFIED +CODE +RUNS +NS\/RUN$/m)
  assert.match(stdout, /^from_uplink +\d+ +tcx ingress +eth0 +\d+ +\d+ B /m)
  assert.match(
    stdout,
    /^from_pod +\d+ +clsact ingress +weir\w{11}, weir\w{11}, weir\w{11} \(\+\d+\)/m,
  )
  assert.match(stdout, /^sock_connect4 +\d+ +cgroup connect4 +cgroup \d+ /m)
})

test('a connection of a pod is in the flow list, under its filters', async () => {
  const { addresses } = readRecord(NAME).pods.find(({ name }) => name === 'front-0') ?? {}
  const [address = ''] = addresses ?? []
  const { clusterIp } = await frontService()
  await mustLab('exec', ...NAMED, 'front-0', '--', 'weir-pod', 'ask', clusterIp, '9000')
  type Flow = { tuple: { source: string; destinationPort: number } }
  const flows = await json<Flow[]>('flow', 'list', '--from', address, '--protocol', 'tcp')
  assert.ok(flows.some(({ tuple }) => tuple.source === address && tuple.destinationPort === 9000))
  assert.deepEqual(await json('flow', 'list', '--from', '203.0.113.0/24'), [])
})

async function frontService(): Promise<{ clusterIp: string }> {
  const services = await json<{ service: string; frontend: string }[]>('service', 'list')
  const found = services.find(({ service }) => service === 'shop/api')
  const clusterIp = found?.frontend.replace(/:9\d+\/TCP$/, '') ?? ''
  return { clusterIp }
}

test('a drop is in monitor and in metrics', async () => {
  const { podCidrs, name } = readRecord(NAME).nodes[0] ?? { podCidrs: [], name: '' }
  const nobody = podCidrs[0]?.replace(/\.0\/24$/, '.250') ?? ''
  const watching = weir(['monitor', '--to', nobody], {
    env: { WEIR_LAB_NODE: `${NAME}/${name}` },
    stopAt: 'no_endpoint',
  })
  // The stream has no sign of being open, so ask again until it shows.
  let seen = false
  const done = watching.then(() => {
    seen = true
  })
  while (!seen) await lab('exec', ...NAMED, 'front-0', '--', 'weir-pod', 'ping', nobody)
  await done
  assert.match((await watching).stdout, /no_endpoint from_pod ifindex \d+ ICMP /)
  const counts = await json<{ reason: string; packets: number }[]>('metrics')
  assert.ok(counts.some(({ reason, packets }) => reason === 'no_endpoint' && packets > 0))
})

/** A policy by which api takes port 9000 of cache alone, in force on both nodes. */
async function isolateApi(): Promise<void> {
  const podsOf = (app: string) => ({ podSelector: { matchLabels: { app } } })
  const spec = { ...podsOf('api'), ingress: [{ from: [podsOf('cache')], ports: [{ port: 9000 }] }] }
  const metadata = { namespace: 'shop', name: 'api' }
  const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec }
  const manifest = join(DIRECTORY, 'policy.json')
  writeFileSync(manifest, JSON.stringify(policy))
  await mustLab('apply', ...NAMED, '-f', manifest)
  for (const node of ['node1', 'node2']) {
    for (let tries = 0; ; tries++) {
      const [view] = await jsonOn<{ state: string }[]>(node, 'policy', 'list')
      if (view?.state === 'done') break
      assert.ok(tries < 50, `${node}: ${view?.state}`)
      await sleep(100)
    }
  }
}

interface Explained {
  readonly destination: string
  readonly allowed: boolean
  readonly ingress: { readonly foretold?: { readonly rule: string }; readonly rule?: string }
}

test('explain says at each node what the other says of its own pods', async () => {
  await isolateApi()
  const rule = 'NetworkPolicy shop/api, ingress rule 1'
  const none = 'no ingress rule of NetworkPolicy shop/api allows it'
  const cases = [
    ['cache-0', '9000', true, rule],
    ['cache-0', '9100', false, none],
    ['front-0', '9000', false, none],
  ] as const
  for (const [from, port, isAllowed, why] of cases) {
    for (const node of ['node1', 'node2']) {
      const asked = ['policy', 'explain', `shop/${from}`, 'shop/api', port]
      const said = await jsonOn<Explained[]>(node, ...asked)
      assert.equal(said.length, 6, 'three pods of the Service, both families')
      for (const { allowed, ingress } of said) {
        assert.deepEqual([allowed, ingress.foretold?.rule ?? ingress.rule], [isAllowed, why])
      }
      const elsewhere = said.filter(({ ingress }) => ingress.foretold).length
      assert.equal(elsewhere, node === 'node1' ? 2 : 4)
    }
  }
})

test('with the agent killed, maps are still read and the rest is one sentence', async () => {
  const [node] = readRecord(NAME).nodes
  assert.ok(node)
  await stopAgent(node, 'SIGKILL')
  assert.ok((await json<unknown[]>('map', 'dump', 'endpoints')).length > 0)
  assert.ok((await json<unknown[]>('metrics')).length > 0)
  assert.ok((await json<unknown[]>('program', 'list')).length > 0)
  const { code, stdout, stderr } = await onNode('endpoint', 'list')
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /^Cannot reach the agent: nobody answers on .*, is weir-agent running\?\n$/)
})

test('uninstall on a node leaves nothing of Weir there', async () => {
  const node = readRecord(NAME).nodes.find(({ name }) => name === 'node2')
  assert.ok(node)
  const uninstall = [
    ...['exec', ...NAMED, 'node2', '--', process.execPath, 'src/cli/main.ts', 'uninstall'],
    ...['--bpf-root', node.bpfRoot, '--state-dir', node.stateDir, '--run-dir', node.runDir],
    ...['--socket', node.socket],
    // This machine's own directories are none of the lab's.
    ...[
      '--cni-conf-dir',
      join(node.stateDir, 'net.d'),
      '--cni-bin-dir',
      join(node.stateDir, 'bin'),
    ],
  ]
  const refused = await lab(...uninstall)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /^Cannot uninstall: an agent answers on .*, stop it first$/m)
  const found = await lab(...uninstall, '--verify')
  assert.equal(found.code, 1)
  assert.match(found.stdout, /^interface weir_host$/m)
  await stopAgent(node, 'SIGTERM')
  assert.match(await mustLab(...uninstall), /^Weir is removed from this node\.$/m)
  assert.match(await mustLab(...uninstall, '--verify'), /^Nothing of Weir is here\.$/m)
})
