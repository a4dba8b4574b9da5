// Being let in: TLS, tokens that rotate, several addresses, protobuf refused, the order in which an
// API server is looked for, and the Node that is remembered.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { FakeApiServer } from './api-server.ts'
import { node, pod, setScene, until } from './scene.ts'

let directory = ''
const path = (name: string) => join(directory, name)

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-access-'))
  makeCertificate('ca')
  makeCertificate('other')
})
after(() => rmSync(directory, { recursive: true }))

function makeCertificate(name: string): void {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, ...subject, ...files], {
    stdio: 'ignore',
  })
}

const certificate = (name: string) => ({
  key: readFileSync(path(`${name}.key`), 'utf8'),
  cert: readFileSync(path(`${name}.crt`), 'utf8'),
})

function writeKubeconfig(name: string, server: string, user: object, cluster: object = {}): string {
  const config = {
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority': 'ca.crt', ...cluster } }],
    users: [{ name: 'u', user }],
  }
  writeFileSync(path(name), JSON.stringify(config))
  return path(name)
}

test('a token that rotates is read again, over TLS by the authority of a kubeconfig', async () => {
  writeFileSync(path('token'), 'first\n')
  const tls = certificate('ca')
  const port = await freePort()
  const kubeconfig = writeKubeconfig('kubeconfig', `https://127.0.0.1:${port}`, {
    tokenFile: 'token',
  })
  const access = { apiServers: [], kubeconfig }
  // So long that only the refusal can be the reason to read it again.
  const timings = { rereadMs: 600_000 }
  await using scene = await setScene({ tls, token: 'first', port, access, timings })
  await scene.converged()
  assert.equal(
    scene.source.health().location,
    `${scene.server.url}, from --kubeconfig ${kubeconfig}`,
  )
  scene.server.token = 'second'
  scene.server.dropConnections()
  scene.server.state.put('pods', pod(50))
  await until(() => /401/.test(scene.source.health().errors[0]?.message ?? ''))
  writeFileSync(path('token'), 'second\n')
  await scene.converged()
  await until(() => scene.source.health().errors.length === 0)
})

test('a server with a foreign certificate is not believed, and tried again', async () => {
  const port = await freePort()
  const kubeconfig = writeKubeconfig('foreign', `https://127.0.0.1:${port}`, { token: 't' })
  const tls = certificate('other')
  await using scene = await setScene({ tls, port, access: { apiServers: [], kubeconfig } })
  await until(() => /self.signed certificate/.test(scene.source.health().errors[0]?.message ?? ''))
  assert.equal(scene.tables.pods.size, 0)
  assert.equal(scene.tables.pods.initialized, false)
  assert.equal(scene.server.requests.length, 0)
  // The authority is replaced on disk.
  writeKubeconfig(
    'foreign',
    `https://127.0.0.1:${port}`,
    { token: 't' },
    {
      'certificate-authority': 'other.crt',
    },
  )
  await scene.converged()
})

test('several addresses: the next one when one is away, and the status says which', async () => {
  await using second = await FakeApiServer.listen()
  const gone = `http://127.0.0.1:${await freePort()}`
  const apiServers = [gone, second.url]
  await using scene = await setScene({ access: { apiServers } })
  second.state = scene.server.state
  await scene.converged(second)
  assert.equal(scene.source.health().location, `${second.url}, from --api-server`)
  await second.close()
  scene.server.state.put('pods', pod(51))
  await until(() => scene.source.health().errors.length > 0)
  await second.open()
  await scene.converged(second)
})

test('protobuf refused with 406: JSON from then on', async () => {
  await using scene = await setScene({
    prepare: (server) => {
      server.fault = ({ encoding }) =>
        encoding === 'protobuf' ? { kind: 'status', status: 406 } : undefined
    },
  })
  await scene.converged()
  const pods = scene.server.requests.filter(({ plural }) => plural === 'pods')
  assert.deepEqual(
    pods.map(({ encoding }) => encoding),
    ['protobuf', 'json'],
  )
})

for (const [watchList, how] of [
  [false, 'refuses the request'],
  ['late', 'says so in an event'],
  ['ignored', 'does not know that it was asked'],
] as const) {
  test(`a server that cannot stream lists and ${how}: pages from then on`, async () => {
    await using scene = await setScene({ watchList, timings: { answerMs: 100 } })
    await scene.converged()
    const pods = scene.server.requests.filter(({ plural }) => plural === 'pods')
    assert.deepEqual(
      pods.map(({ verb }) => verb),
      ['watch', 'list', 'watch'],
    )
    assert.deepEqual(scene.source.health().errors, [])
  })
}

const ABSENT = ['clusternetworkpolicies', 'servicecidrs']

test('a kind that is not installed has no rows, is no fault and is looked for', async () => {
  await using scene = await setScene({
    prepare: (server) => {
      server.fault = ({ plural }) =>
        ABSENT.includes(plural) ? { kind: 'status', status: 404 } : undefined
    },
  })
  const table = scene.tables.clusterNetworkPolicies
  await until(() => scene.source.health().synced)
  assert.ok(table.initialized)
  assert.deepEqual(scene.source.health().errors, [])
  const spec = { tier: 'Admin', priority: 5, subject: { namespaces: {} } }
  scene.server.state.put('clusternetworkpolicies', { metadata: { name: 'p' }, spec })
  scene.server.fault = undefined
  await scene.converged()
  assert.equal(table.size, 1)
})

test('Retry-After is kept', async () => {
  await using scene = await setScene({
    prepare: (server) => {
      server.failNext('watch', 'pods', { kind: 'status', status: 429, retryAfter: 1 })
    },
  })
  const startedAt = performance.now()
  await scene.converged()
  assert.ok(performance.now() - startedAt >= 990)
})

test('the wall clock jumps: nothing happens', async (t) => {
  await using scene = await setScene()
  await scene.converged()
  const { now } = Date
  for (const jumpMs of [86_400_000 * 400, -86_400_000 * 800]) {
    t.mock.method(Date, 'now', () => now() + jumpMs)
    scene.server.state.put('pods', pod(52 + Math.sign(jumpMs)))
    scene.server.dropConnections()
    await scene.converged()
    const { lastSyncAt = 0, kinds } = scene.source.health()
    assert.ok(Math.abs(Date.now() - lastSyncAt) < 60_000)
    assert.ok(kinds?.every(({ contactAgeMs = -1 }) => contactAgeMs >= 0 && contactAgeMs < 60_000))
    t.mock.restoreAll()
  }
})

test('a restart without API server begins with the own Node, and prunes nothing', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'weir-state-'))
  try {
    {
      await using scene = await setScene({ stateDir, nodeName: 'node-2' })
      await scene.converged()
    }
    const access = { apiServers: [`http://127.0.0.1:${await freePort()}`] }
    await using scene = await setScene({ stateDir, nodeName: 'node-2', access })
    assert.deepEqual(
      [...scene.tables.nodes.rows()].map(({ name, podCidrs }) => ({ name, podCidrs })),
      [{ name: 'node-2', podCidrs: ['10.1.2.0/24', 'fd00:1:2::/64'] }],
    )
    assert.equal(scene.tables.nodes.initialized, false)
  } finally {
    rmSync(stateDir, { recursive: true })
  }
})

test('a deleted Node is forgotten; one that is damaged on disk is passed over', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'weir-state-'))
  const file = join(stateDir, 'own-node.json')
  try {
    {
      await using scene = await setScene({ stateDir })
      await scene.converged()
      assert.match(readFileSync(file, 'utf8'), /10\.1\.1\.0/)
      scene.server.state.delete('nodes', 'node-1')
      await scene.converged()
      assert.throws(() => readFileSync(file), /ENOENT/)
    }
    writeFileSync(file, '{"metadata": {"name": "node-1"}, "spec": {"podC')
    await using scene = await setScene({ stateDir })
    assert.ok(scene.logged.includes('warn Cannot read the remembered Node'))
    scene.server.state.put('nodes', node(1))
    await scene.converged()
  } finally {
    rmSync(stateDir, { recursive: true })
  }
})

test('an address that is a Service of the cluster is a fault that the status names', async () => {
  await using scene = await setScene()
  scene.server.state.put('services', {
    metadata: { namespace: 'default', name: 'kubernetes' },
    spec: { clusterIP: '127.0.0.1', ports: [{ port: 443 }] },
  })
  await scene.converged()
  const [{ message } = { message: '' }] = scene.source.health().errors
  assert.match(message, /through Service default\/kubernetes, which Weir itself serves/)
})

/** A port that nobody listens on, most likely for a while. */
async function freePort(): Promise<number> {
  const server = await FakeApiServer.listen()
  const { port } = server
  await server.close()
  return port
}
