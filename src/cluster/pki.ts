// The cluster's authority, its certificates and kubeconfigs, made by openssl. Everybody who talks
// to the API server has a certificate; nothing is anonymous.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lab/run.ts'
import { CLUSTER } from './paths.ts'
import { API_SERVER, API_SERVICE, UNDERLAY } from './spec.ts'

interface Certificate {
  readonly name: string
  readonly subject: string
  readonly server?: readonly string[]
  /** Also write NAME.kubeconfig. */
  readonly kubeconfig?: boolean
}

const DAYS = '3650'

/** Where the API server answers. */
export interface ServerPlace {
  readonly addresses: readonly string[]
  readonly url: string
}

const CLUSTER_SERVER: ServerPlace = { addresses: UNDERLAY.router, url: API_SERVER }

/** Who has a certificate. Pure. */
export function planCertificates(
  nodes: readonly string[],
  { addresses } = CLUSTER_SERVER,
): Certificate[] {
  return [
    { name: 'apiserver', subject: '/CN=kube-apiserver', server: apiServerNames(addresses) },
    { name: 'apiserver-kubelet', subject: '/O=system:masters/CN=apiserver-kubelet' },
    { name: 'front-proxy', subject: '/CN=front-proxy-client' },
    { name: 'admin', subject: '/O=system:masters/CN=admin', kubeconfig: true },
    { name: 'controllers', subject: '/CN=system:kube-controller-manager', kubeconfig: true },
    { name: 'scheduler', subject: '/CN=system:kube-scheduler', kubeconfig: true },
    ...nodes.map((node) => ({
      name: node,
      subject: `/O=system:nodes/CN=system:node:${node}`,
      kubeconfig: true,
    })),
  ]
}

function apiServerNames(addresses: readonly string[]): string[] {
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
  return [
    ...[...service, 'kubernetes.default.svc.cluster.local', 'localhost'].map((n) => `DNS:${n}`),
    ...['127.0.0.1', API_SERVICE, ...addresses].map((address) => `IP:${address}`),
  ]
}

/** Makes all of it in an empty directory. */
export async function makePki(
  directory: string,
  nodes: readonly string[],
  place = CLUSTER_SERVER,
): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const at = (name: string): string => join(directory, name)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await run('make the authority', 'openssl', [
    ...['req', '-x509', ...newKey, '-days', DAYS, '-subj', `/CN=${CLUSTER}`],
    ...['-keyout', at('ca.key'), '-out', at('ca.crt')],
  ])
  await run('make a key', 'openssl', ['genrsa', '-out', at('sa.key'), '2048'])
  await run('make a key', 'openssl', ['rsa', '-in', at('sa.key'), '-pubout', '-out', at('sa.pub')])
  for (const { name, subject, server, kubeconfig } of planCertificates(nodes, place)) {
    const use = server ? `serverAuth\nsubjectAltName=${server.join(',')}` : 'clientAuth'
    writeFileSync(at(`${name}.ext`), `extendedKeyUsage=${use}\n`)
    const out = ['-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)]
    await run(`make a key for ${name}`, 'openssl', ['req', ...newKey, '-subj', subject, ...out])
    await run(`sign ${name}`, 'openssl', [
      ...['x509', '-req', '-in', at(`${name}.csr`), '-days', DAYS, '-out', at(`${name}.crt`)],
      ...['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial'],
      ...['-extfile', at(`${name}.ext`)],
    ])
    if (kubeconfig) {
      const text = kubeconfigText(directory, name, place.url)
      writeFileSync(at(`${name}.kubeconfig`), text, { mode: 0o600 })
    }
  }
}

function kubeconfigText(directory: string, name: string, server: string): string {
  const inline = (file: string) => readFileSync(join(directory, file)).toString('base64')
  const cluster = { server, 'certificate-authority-data': inline('ca.crt') }
  const user = {
    'client-certificate-data': inline(`${name}.crt`),
    'client-key-data': inline(`${name}.key`),
  }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: CLUSTER, cluster }],
    users: [{ name, user }],
    contexts: [{ name: CLUSTER, context: { cluster: CLUSTER, user: name } }],
    'current-context': CLUSTER,
  }
  // JSON is YAML.
  return `${JSON.stringify(config, null, 1)}\n`
}
