// The commands that ask the agent, against its API served from rows over a real socket.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ApiServer } from '../../../src/api/server.ts'
import type { ApiSources } from '../../../src/api/sources.ts'
import type { DatapathEvent } from '../../../src/tables/actual.ts'
import { makeFrontend } from '../../support/service-rows.ts'
import { actualEndpoint, address, endpoint, FACTS, sources } from '../api/rows.ts'
import { type Run, type RunOptions, weir } from './run-weir.ts'

type Weir = (args: readonly string[], options?: RunOptions) => Promise<Run>

async function serve(t: TestContext, changes: Partial<ApiSources> = {}): Promise<Weir> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-cli-'))
  const socket = join(directory, 'weir.sock')
  const api = await ApiServer.listen(socket, sources(changes))
  t.after(async () => {
    await api.close()
    rmSync(directory, { recursive: true })
  })
  return (args, options) =>
    weir(args, { ...options, env: { WEIR_SOCKET: socket, ...options?.env } })
}

test('status of a healthy agent says so and exits 0', async (t) => {
  const run = await serve(t)
  const { code, stdout } = await run(['status'])
  assert.equal(code, 0)
  assert.match(stdout, /^Everything is as it should be\.\n/)
  assert.match(stdout, /^node {2,}node-a, 192\.0\.2\.1$/m)
  assert.match(stdout, /^MTU {2,}1450: 1500 \(eth0\) - 50 \(VXLAN\)$/m)
})

test('status puts what is wrong first and exits 1', async (t) => {
  const facts = () => ({ ...FACTS, problems: ['Cannot attach connect4: EPERM'] })
  const run = await serve(t, { facts })
  const { code, stdout } = await run(['status'])
  assert.equal(code, 1)
  assert.match(stdout, /^Wrong now:\n {2}Cannot attach connect4: EPERM\n/)
})

test('status says what was asked for and is not done, which is not wrong', async (t) => {
  const notes = ['Service shop/a: port 9/SCTP is not served', 'NetworkPolicy shop/b: spec']
  const run = await serve(t, { facts: () => ({ ...FACTS, source: { ...FACTS.source, notes } }) })
  const { code, stdout } = await run(['status'])
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^not done {2,}Service shop\/a: port 9\/SCTP .*\n {2,}NetworkPolicy shop\/b/m,
  )
})

test('-j before and after the command gives the same JSON', async (t) => {
  const run = await serve(t)
  const [before, after] = [await run(['-j', 'node', 'list']), await run(['node', 'list', '--json'])]
  assert.deepEqual([before.code, JSON.parse(before.stdout)], [0, []])
  assert.equal(after.stdout, before.stdout)
})

test('endpoint list aligns its columns and says below what differs', async (t) => {
  const base = sources()
  base.tables.endpoints.upsert(endpoint({ addresses: [address('10.0.1.5')] }))
  const actual = [actualEndpoint('10.0.1.5', { mtu: 1500 }), actualEndpoint('10.0.1.9', { id: 9 })]
  const run = await serve(t, { ...base, actual: { ...base.actual, endpoints: () => actual } })
  const { stdout } = await run(['endpoint', 'list'])
  assert.equal(
    stdout,
    `ID  POD         ADDRESSES  INTERFACE  MAC                MTU   STATUS   DRIFT
7   shop/front  10.0.1.5   weir0005   02:00:00:00:00:05  1450  pending  stale
9   -           10.0.1.9   weir0005   02:00:00:00:00:05  1450  -        extra

endpoint 7 (shop/front): 10.0.1.5: mtu is 1500, not 1450
endpoint 9: 10.0.1.9 is in map endpoints and no pod asked for it
`,
  )
})

test('endpoint list and get show the host ports and limits that a pod asked for', async (t) => {
  const base = sources()
  const hostPorts = [
    { hostPort: 8080, containerPort: 80, protocol: 'TCP' },
    { hostPort: 53, containerPort: 5353, protocol: 'UDP', hostIp: address('fd00::1') },
  ] as const
  const bandwidth = { ingressBitsPerSecond: 1.5e6, egressBitsPerSecond: 2e9 }
  base.tables.endpoints.upsert(endpoint({ hostPorts, bandwidth }))
  base.tables.endpoints.upsert(endpoint({ id: 8, containerId: 'other' }))
  const run = await serve(t, base)
  const { stdout } = await run(['endpoint', 'list'])
  const [ports, limits] = ['*:8080/TCP -> 80', 'in 1.5 Mbit/s, out 2 Gbit/s']
  assert.match(stdout, /MTU {3}ASKED FOR +STATUS/)
  assert.ok(stdout.includes(`1450  ${ports}, [fd00::1]:53/UDP -> 5353, ${limits}  pending`), stdout)
  assert.match(stdout, /1450 {2}- +pending/)
  const one = await run(['endpoint', 'get', '7'])
  assert.match(one.stdout, /^host ports {2,}\*:8080\/TCP -> 80\n +\[fd00::1\]:53\/UDP -> 5353$/m)
  assert.match(one.stdout, /^bandwidth {2,}in 1\.5 Mbit\/s, out 2 Gbit\/s$/m)
})

test('endpoint get finds by id, pod, address and interface, and fails on none', async (t) => {
  const base = sources()
  base.tables.endpoints.upsert(endpoint())
  const run = await serve(t, base)
  for (const wanted of ['7', 'shop/front', 'fd00::5', 'weir0005']) {
    assert.match((await run(['endpoint', 'get', wanted])).stdout, /^pod {2,}shop\/front$/m)
  }
  const none = await run(['endpoint', 'get', 'shop/back'])
  assert.deepEqual(
    [none.code, none.stderr],
    [1, 'Cannot find endpoint "shop/back": there is none\n'],
  )
})

test('service get finds every frontend of an address', async (t) => {
  const base = sources()
  const frontend = makeFrontend({ service: 'shop/front' })
  const at = { address: address('fd00::10'), protocol: 'TCP' } as const
  base.tables.frontends.upsert({ ...frontend, ...at, port: 80 })
  base.tables.frontends.upsert({ ...frontend, ...at, port: 443 })
  const run = await serve(t, base)
  for (const [wanted, count] of [
    ['fd00::10', 2],
    ['[fd00::10]:80', 1],
    ['shop/front', 2],
  ] as const) {
    const { stdout } = await run(['service', 'get', wanted, '-j'])
    assert.equal(JSON.parse(stdout).length, count, wanted)
  }
})

const EVENT: DatapathEvent = {
  kind: 'drop',
  timeNs: 5n,
  reason: 'no_route',
  program: 'from_pod',
  ifindex: 3,
  lengthBytes: 60,
  tuple: {
    source: address('10.0.1.5'),
    destination: address('10.0.9.9'),
    sourcePort: 1234,
    destinationPort: 80,
    protocol: 6,
  },
}

test('monitor prints the drops that pass its filters', async (t) => {
  const run = await serve(t, {
    subscribeEvents: (listener) => {
      const other = { ...EVENT.tuple, source: address('10.0.1.6') }
      listener({ ...EVENT, reason: 'ttl_expired' })
      listener({ ...EVENT, tuple: other })
      listener(EVENT)
      return () => {}
    },
  })
  const { stdout } = await run(['monitor', '--reason', 'no_route', '--from', '10.0.1.4/31'], {
    stopAt: '\n',
  })
  assert.match(
    stdout,
    /^[\d:.]{12} no_route from_pod ifindex 3 TCP 10\.0\.1\.5:1234 > 10\.0\.9\.9:80 60 bytes\n$/,
  )
})

test('monitor --verdicts prints what policy lets pass, what not, and by which rule', async (t) => {
  const { tables } = sources()
  tables.policyRules.upsert({ id: 7, text: 'NetworkPolicy shop/api, ingress rule 1' })
  const run = await serve(t, {
    tables,
    subscribeEvents: (listener, { verdicts } = {}) => {
      const policy = { direction: 'ingress', ruleId: 7, identity: 300 } as const
      const allowed = { ...policy, verdict: verdicts ? 'allow' : 'audit' } as const
      listener({ ...EVENT, kind: 'verdict', reason: 'none', lengthBytes: 0, policy: allowed })
      const denied = { ...policy, verdict: 'deny', ruleId: 0 } as const
      listener({ ...EVENT, reason: 'policy_ingress', policy: denied })
      return () => {}
    },
  })
  const { stdout } = await run(['monitor', '--verdicts'], { stopAt: 'deny' })
  const packet = 'from_pod ifindex 3 TCP 10.0.1.5:1234 > 10.0.9.9:80'
  assert.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.slice(13)),
    [
      `allow ${packet}, ingress allow: NetworkPolicy shop/api, ingress rule 1`,
      `policy_ingress ${packet} 60 bytes, ingress deny: isolated, and no rule allows it`,
    ],
  )
})

test('a reader that closes the pipe is no error', async (t) => {
  const base = sources()
  for (let id = 1; id <= 2000; id++) {
    const containerId = `c${id}`
    base.tables.endpoints.upsert(endpoint({ id, containerId, podName: `pod-${'x'.repeat(200)}` }))
  }
  const run = await serve(t, base)
  const { code, stderr } = await run(['endpoint', 'list'], { closeEarly: true })
  assert.deepEqual([code, stderr], [0, ''])
})

test('what the agent refuses comes through as its sentence', async (t) => {
  const endpoints = () => {
    throw new Error('Cannot read the datapath: it is not open')
  }
  const base = sources()
  const run = await serve(t, { actual: { ...base.actual, endpoints } })
  const { code, stderr } = await run(['endpoint', 'list'])
  assert.deepEqual([code, stderr], [1, 'Cannot read the datapath: it is not open\n'])
})

test('service explain answers over the socket, and fails where nothing answers', async (t) => {
  const base = sources()
  base.tables.frontends.upsert(makeFrontend())
  const run = await serve(t, base)
  const { code, stdout } = await run(['service', 'explain', '10.96.0.1:80', '--from', 'node'])
  assert.equal(code, 0)
  assert.match(stdout, /^frontend {2,}10\.96\.0\.1:80\/TCP: ClusterIP of Service default\/web$/m)
  assert.match(stdout, /^endpoints {2,}none: refused \(no_backend\), by RST$/m)
  const none = await run(['service', 'explain', '10.96.0.1:81', '-j'])
  assert.equal(none.code, 1)
  assert.match(JSON.parse(none.stdout)[0].problem, /^Nothing answers port 81 of 10\.96\.0\.1:/)
})
