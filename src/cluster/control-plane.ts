// etcd, kube-apiserver, kube-controller-manager and kube-scheduler in the fabric's namespace. There
// is no kube-proxy anywhere.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  cgroupsOf,
  type Daemon,
  inFabric,
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

const ETCD = 'http://127.0.0.1:2379'

/** Resolves once the API server is ready. */
export async function startControlPlane(control: ControlPlane): Promise<void> {
  const { fabric, paths, bin } = control
  const { pki, logs } = paths
  const start = (name: string, command: readonly string[]) => {
    const inside = inFabric(fabric)
    const daemon: Daemon = { name, cgroups: cgroupsOf('control-plane'), inside, command, logs }
    return { daemon, child: startDaemon(daemon) }
  }
  mkdirSync(paths.etcd, { recursive: true, mode: 0o700 })
  const etcd = start('etcd', [control.etcd, ...etcdFlags(paths.etcd)])
  const health = ['curl', '-sf', `${ETCD}/health`]
  await waitForDaemon(etcd.child, etcd.daemon, () => runInside(inFabric(fabric), health))
  const server = start('kube-apiserver', [join(bin, 'kube-apiserver'), ...apiServerFlags(pki)])
  const ready = ['--kubeconfig', paths.kubeconfig, 'get', '--raw', '/readyz']
  const kubectl = [join(bin, 'kubectl'), ...ready]
  await waitForDaemon(server.child, server.daemon, () => runInside(inFabric(fabric), kubectl))
  start('kube-controller-manager', [join(bin, 'kube-controller-manager'), ...controllerFlags(pki)])
  start('kube-scheduler', [join(bin, 'kube-scheduler'), ...schedulerFlags(pki)])
}

function etcdFlags(directory: string): string[] {
  const peer = 'http://127.0.0.1:2380'
  return [
    '--name=weir',
    `--data-dir=${directory}`,
    ...[`--listen-client-urls=${ETCD}`, `--advertise-client-urls=${ETCD}`],
    ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
    `--initial-cluster=weir=${peer}`,
    // A cluster for tests has nothing to keep.
    '--unsafe-no-fsync',
  ]
}

function apiServerFlags(pki: string): string[] {
  const at = (name: string): string => join(pki, name)
  return [
    `--etcd-servers=${ETCD}`,
    ...[`--advertise-address=${UNDERLAY.router[0]}`, '--secure-port=6443'],
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
