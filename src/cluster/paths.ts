// Where the test cluster keeps its things: what costs minutes to make in a cache that stays, what
// belongs to the running cluster in one directory that goes with it.
import { homedir } from 'node:os'
import { join } from 'node:path'
import { cgroupMount } from '../lab/cgroups.ts'

/** There is one cluster to a machine; its cgroups and its link carry this name. */
export const CLUSTER = 'weir-cluster'
export const KUBERNETES_VERSION = '1.36.2'

/** Hierarchies of cgroup version 1 that containerd and the kubelet want. */
export const CONTROLLERS = [
  ...['cpu', 'cpuacct', 'cpuset', 'memory'],
  ...['devices', 'freezer', 'blkio', 'pids'],
] as const

/** What stays between clusters. `WEIR_CACHE` moves it. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return env['WEIR_CACHE'] || join(homedir(), '.cache', 'weir')
}

export interface KubernetesCache {
  readonly module: string
  readonly bin: string
}

export function kubernetesCache(cache: string, version = KUBERNETES_VERSION): KubernetesCache {
  const root = join(cache, `kubernetes-v${version}`)
  return { module: join(root, 'module'), bin: join(root, 'bin') }
}

export interface ClusterPaths {
  readonly directory: string
  readonly record: string
  readonly pki: string
  readonly logs: string
  readonly images: string
  readonly etcd: string
  /** What `make cluster` prints. */
  readonly kubeconfig: string
}

/** On a disk and not in /run: containerd's snapshots are overlays, which cannot lie on one. */
export function clusterPaths(directory = `/var/lib/${CLUSTER}`): ClusterPaths {
  return {
    directory,
    record: join(directory, 'cluster.json'),
    pki: join(directory, 'pki'),
    logs: join(directory, 'logs'),
    images: join(directory, 'images'),
    etcd: join(directory, 'etcd'),
    kubeconfig: join(directory, 'pki', 'admin.kubeconfig'),
  }
}

/** Every process of the cluster, pods included, lives at or below this cgroup of version 2. */
export function clusterCgroup(): string {
  return join(cgroupMount(), CLUSTER)
}

/** The directory of a hierarchy of version 1. */
export function controllerCgroup(controller: string, node: string): string {
  return join('/sys/fs/cgroup', controller, CLUSTER, node)
}
