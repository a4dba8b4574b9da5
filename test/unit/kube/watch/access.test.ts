// The order in which an API server is looked for, and whose credentials go with it.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { AccessReader, type AccessSettings } from '../../../../src/kube/watch/access.ts'

const root = mkdtempSync(join(tmpdir(), 'weir-access-'))
const path = (name: string) => join(root, name)
after(() => rmSync(root, { recursive: true }))
beforeEach(() => {
  rmSync(root, { recursive: true })
  mkdirSync(root)
})

function read(settings: Partial<AccessSettings> = {}) {
  return new AccessReader({
    apiServers: [],
    env: {},
    serviceAccountDir: path('account'),
    kubeletKubeconfigs: [path('kubelet.conf'), path('kubeconfig')],
    ...settings,
  }).read()
}

function writeKubeconfig(name: string, { cluster = {}, user = {} as object } = {}): string {
  const server = `https://${name}:6443/`
  const text = `
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: other, context: {cluster: x, user: x}}, {name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: ${JSON.stringify({ server, ...cluster })}}]
users: [{name: u, user: ${JSON.stringify(user)}}]
`
  writeFileSync(path(name), text)
  return path(name)
}

function writeServiceAccount(): void {
  mkdirSync(path('account'))
  writeFileSync(path('account/token'), 'account-token\n')
  writeFileSync(path('account/ca.crt'), 'account-ca')
}

const ENV = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }

test('settings come first, then the kubelet, then the environment', async () => {
  writeServiceAccount()
  const inCluster = await read({ env: ENV })
  assert.deepEqual(inCluster.servers, ['https://10.96.0.1:443'])
  assert.equal(inCluster.how, 'KUBERNETES_SERVICE_HOST')
  writeKubeconfig('kubeconfig')
  assert.deepEqual((await read({ env: ENV })).servers, ['https://kubeconfig:6443'])
  writeKubeconfig('kubelet.conf')
  const kubelet = await read({ env: ENV })
  assert.deepEqual(kubelet.servers, ['https://kubelet.conf:6443'])
  assert.equal(kubelet.how, `the kubelet's ${path('kubelet.conf')}`)
  const mine = writeKubeconfig('mine', { user: { token: 'mine' } })
  const given = await read({ env: ENV, kubeconfig: mine })
  assert.deepEqual(given.servers, ['https://mine:6443'])
  assert.equal(given.how, `--kubeconfig ${mine}`)
  assert.equal(given.authorization, 'Bearer mine')
  const both = await read({
    env: ENV,
    kubeconfig: mine,
    apiServers: ['https://a:1', 'https://b:2/'],
  })
  assert.deepEqual(both.servers, ['https://a:1', 'https://b:2'])
  assert.equal(both.how, '--api-server')
  assert.equal(both.authorization, 'Bearer mine')
})

test("the kubelet's file gives the address, the service account the credentials", async () => {
  writeFileSync(path('k.crt'), 'kubelet-ca')
  writeKubeconfig('kubelet.conf', {
    cluster: { 'certificate-authority': 'k.crt', 'tls-server-name': 'kubernetes' },
    // Not mounted into the pod, and not needed there.
    user: { 'client-certificate': '/var/lib/kubelet/pki/none.pem' },
  })
  writeServiceAccount()
  const { tls, authorization } = await read()
  assert.deepEqual(tls, { ca: 'kubelet-ca', servername: 'kubernetes' })
  assert.equal(authorization, 'Bearer account-token')
})

test("--api-server goes with the service account, or with the kubelet's credentials", async () => {
  const apiServers = ['https://10.0.0.1:6443']
  const certificate = Buffer.from('certificate').toString('base64')
  writeKubeconfig('kubelet.conf', {
    cluster: { 'certificate-authority-data': Buffer.from('ca').toString('base64') },
    user: { 'client-certificate-data': certificate, 'client-key-data': certificate },
  })
  const withKubelet = await read({ apiServers })
  assert.deepEqual(withKubelet.tls, { ca: 'ca', cert: 'certificate', key: 'certificate' })
  writeServiceAccount()
  const withAccount = await read({ apiServers })
  assert.deepEqual(withAccount.tls, { ca: 'account-ca' })
  assert.equal(withAccount.authorization, 'Bearer account-token')
})

test('IPv6 in the environment, a password, no verification if so asked', async () => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1' }
  assert.deepEqual((await read({ env })).servers, ['https://[fd00::1]:443'])
  const kubeconfig = writeKubeconfig('mine', {
    cluster: { 'insecure-skip-tls-verify': true },
    user: { username: 'me', password: 'secret' },
  })
  const { tls, authorization } = await read({ kubeconfig })
  assert.deepEqual(tls, { rejectUnauthorized: false })
  assert.equal(authorization, `Basic ${Buffer.from('me:secret').toString('base64')}`)
})

test('a program that gives credentials is asked, again after forget()', async () => {
  const credential = (token: string) =>
    JSON.stringify({ kind: 'ExecCredential', status: { token } }).replaceAll('"', '\\"')
  const program = `n=$(cat ${path('n')} 2>/dev/null || echo 0); echo $((n+1)) > ${path('n')}; `
  const args = ['-c', `${program} printf "${credential('t$n')}"`]
  const apiVersion = 'client.authentication.k8s.io/v1'
  const kubeconfig = writeKubeconfig('mine', {
    user: { exec: { apiVersion, command: 'sh', args } },
  })
  const reader = new AccessReader({ apiServers: [], env: {}, kubeconfig })
  assert.equal((await reader.read()).authorization, 'Bearer t0')
  assert.equal((await reader.read()).authorization, 'Bearer t0')
  reader.forget()
  assert.equal((await reader.read()).authorization, 'Bearer t1')
})

test('what is missing or wrong is said in one sentence', async () => {
  await assert.rejects(read(), /Cannot find the API server: give --api-server or --kubeconfig/)
  await assert.rejects(
    read({ kubeconfig: path('none') }),
    /Cannot use kubeconfig .*none: ENOENT: no such file/,
  )
  writeFileSync(path('bad'), 'current-context: x\n')
  await assert.rejects(read({ kubeconfig: path('bad') }), /contexts has none named "x"/)
  const proxied = writeKubeconfig('proxied', { cluster: { 'proxy-url': 'http://p' } })
  await assert.rejects(read({ kubeconfig: proxied }), /proxy-url is not supported/)
  writeFileSync(path('kubelet.conf'), '{')
  await assert.rejects(read({ env: ENV }), /Cannot use kubeconfig .*kubelet.conf/)
})
