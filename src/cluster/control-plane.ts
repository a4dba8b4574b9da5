// etcd, kube-apiserver, kube-controller-manager and kube-scheduler in the fabric's namespace. There
// is no kube-proxy anywhere.
import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  cgroupsOf,
  type Daemon,
  type Inside,
  inNetworkOf,
  runInside,
  startDaemon,
  waitForDaemon,
} from './daemons.ts'
import type { ClusterPaths } from './paths.ts'
import { POD_CIDRS, SERVICE_CIDRS, UNDERLAY } from './spec.ts'

export interface ControlPlane {
  readonly fabric: number
  readonly paths: ClusterPaths
  /** Directory of Kubernetes' programs. */
  readonly bin: string
  /** Path of the program. */
  readonly etcd: string
}

/** Where an API server runs, and which. */
export interface ApiServerOptions extends Omit<ControlPlane, 'fabric' | 'paths'> {
  readonly paths: Pick<ClusterPaths, 'pki' | 'logs' | 'etcd' | 'kubeconfig'>
  readonly cgroups: readonly string[]
  readonly inside: Inside
  /** Where others reach it. */
  readonly address: string
  readonly flags?: readonly string[]
}

/** A daemon as it was started. */
interface Started {
  readonly daemon: Daemon
  readonly child: ChildProcess
}

export const ETCD_URL = 'http://127.0.0.1:2379'

/** Resolves once the API server is ready. */
export async function startControlPlane({ fabric, paths, ...rest }: ControlPlane): Promise<void> {
  const { bin } = rest
  const [inside, cgroups] = [inNetworkOf(fabric), cgroupsOf('control-plane')]
  await startApiServer({ ...rest, paths, cgroups, inside, address: UNDERLAY.router[0] })
  const { pki, logs } = paths
  const start = (name: string, flags: readonly string[]) =>
    startDaemon({ name, cgroups, inside, command: [join(bin, name), ...flags], logs })
  start('kube-controller-manager', controllerFlags(pki))
  start('kube-scheduler', schedulerFlags(pki))
}

/** etcd and kube-apiserver alone. Resolves once the API server is ready. */
export async function startApiServer(options: ApiServerOptions): Promise<void> {
  const { paths, bin, cgroups, inside } = options
  const { logs } = paths
  const start = (name: string, command: readonly string[]): Started => {
    const daemon: Daemon = { name, cgroups, inside, command, logs }
    return { daemon, child: startDaemon(daemon) }
  }
  mkdirSync(paths.etcd, { recursive: true, mode: 0o700 })
  const etcd = start('etcd', [options.etcd, ...etcdFlags(paths.etcd)])
  const health = ['curl', '-sf', `${ETCD_URL}/health`]
  await waitForDaemon(etcd.child, etcd.daemon, () => runInside(inside, health))
  const server = start('kube-apiserver', [join(bin, 'kube-apiserver'), ...apiServerFlags(options)])
  const ready = ['--kubeconfig', paths.kubeconfig, 'get', '--raw', '/readyz']
  const kubectl = [join(bin, 'kubectl'), ...ready]
  await waitForDaemon(server.child, server.daemon, () => runInside(inside, kubectl))
}

function etcdFlags(directory: string): string[] {
  const peer = 'http://127.0.0.1:2380'
  return [
    '--name=weir',
    `--data-dir=${directory}`,
    ...[`--listen-client-urls=${ETCD_URL}`, `--advertise-client-urls=${ETCD_URL}`],
    ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
    `--initial-cluster=weir=${peer}`,
    // A cluster for tests has nothing to keep.
    '--unsafe-no-fsync',
  ]
}

function apiServerFlags({ paths, address, flags = [] }: ApiServerOptions): string[] {
  const at = (name: string): string => join(paths.pki, name)
  return [
    `--etcd-servers=${ETCD_URL}`,
    ...[`--advertise-address=${address}`, '--secure-port=6443'],
    `--service-cluster-ip-range=${SERVICE_CIDRS.join(',')}`,
    ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction'],
    '--allow-privileged=true',
    ...[`--tls-cert-file=${at('apiserver.crt')}`, `--tls-private-key-file=${at('apiserver.key')}`],
    `--client-ca-file=${at('ca.crt')}`,
    `--kubelet-client-certificate=${at('apiserver-kubelet.crt')}`,
    `--kubelet-client-key=${at('apiserver-kubelet.key')}`,
    '--kubelet-preferred-address-types=InternalIP,Hostname',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${at('sa.pub')}`,
    `--service-account-signing-key-file=${at('sa.key')}`,
    ...frontProxyFlags(at),
    ...flags,
  ]
}

/** For API servers that are added to the cluster. */
function frontProxyFlags(at: (name: string) => string): string[] {
  return [
    `--requestheader-client-ca-file=${at('ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-username-headers=X-Remote-User',
    `--proxy-client-cert-file=${at('front-proxy.crt')}`,
    `--proxy-client-key-file=${at('front-proxy.key')}`,
    '--enable-aggregator-routing=true',
  ]
}

function clientFlags(kubeconfig: string): string[] {
  const names = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig']
  const files = names.map((name) => `--${name}=${kubeconfig}`)
  return [...files, '--bind-address=127.0.0.1', '--leader-elect=false']
}

function controllerFlags(pki: string): string[] {
  return [
    ...clientFlags(join(pki, 'controllers.kubeconfig')),
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${join(pki, 'sa.key')}`,
    `--root-ca-file=${join(pki, 'ca.crt')}`,
    `--cluster-signing-cert-file=${join(pki, 'ca.crt')}`,
    `--cluster-signing-key-file=${join(pki, 'ca.key')}`,
    ...['--allocate-node-cidrs=true', `--cluster-cidr=${POD_CIDRS.join(',')}`],
    ...['--node-cidr-mask-size-ipv4=24', '--node-cidr-mask-size-ipv6=64'],
    `--service-cluster-ip-range=${SERVICE_CIDRS.join(',')}`,
  ]
}

function schedulerFlags(pki: string): string[] {
  return clientFlags(join(pki, 'scheduler.kubeconfig'))
}
