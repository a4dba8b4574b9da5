// kube-proxy on a node of the bench: its own namespaces' tables, nothing of this machine's. Its
// tools are unpacked from Debian's packages, with a lock file of their own.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { buildKubernetes, PROXY_PROGRAMS } from '../../cluster/build.ts'
import { inNetns, startDaemon } from '../../cluster/daemons.ts'
import { unpackPackages, withDependencies } from '../../cluster/packages.ts'
import { cacheDirectory } from '../../cluster/paths.ts'
import { netnsPath } from '../../lab/paths.ts'
import { identify, type ProcessIdentity } from '../../lab/processes.ts'
import type { NodeRecord } from '../../lab/record.ts'
import { run } from '../../lab/run.ts'
import { linkTools, toolEnvironment } from '../iptables.ts'

export type ProxyMode = 'iptables' | 'nftables'

/** Directories of what kube-proxy is and runs. */
export interface ProxyTools {
  readonly program: string
  readonly root: string
}

/** Builds and unpacks what the cache lacks. */
export async function findProxyTools(say: (line: string) => void): Promise<ProxyTools> {
  const cache = cacheDirectory()
  const bin = await buildKubernetes(cache, say, PROXY_PROGRAMS)
  const names = await withDependencies(['iptables', 'nftables', 'conntrack'])
  return { program: join(bin, 'kube-proxy'), root: await unpackPackages(cache, names) }
}

/** Starts it; whether its rules are there is for the caller to see. */
export function startKubeProxy(
  { program, root }: ProxyTools,
  node: NodeRecord,
  mode: ProxyMode,
  kubeconfig: string,
): ProcessIdentity {
  const directory = join(node.runDir, 'kube-proxy')
  mkdirSync(directory, { recursive: true })
  const config = join(directory, 'config.yaml')
  writeFileSync(config, stringify(configOf(node, mode, kubeconfig)))
  linkTools(root, directory)
  const environment = toolEnvironment(root, directory)
  const child = startDaemon({
    name: `kube-proxy-${mode}`,
    cgroups: [join(node.cgroup, 'kube-proxy')],
    inside: inNetns(netnsPath(node.netns)),
    command: ['env', ...environment, program, `--config=${config}`],
    logs: join(node.runDir, 'logs'),
  })
  const identity = identify(child.pid ?? 0)
  if (!identity) throw new Error(`Cannot start kube-proxy in mode ${mode}: it ended at once`)
  return identity
}

/** Runs one of its tools on a node, as it would itself. */
export async function runTool(
  { root }: ProxyTools,
  node: NodeRecord,
  command: readonly string[],
): Promise<void> {
  const environment = toolEnvironment(root, join(node.runDir, 'kube-proxy'))
  const inside = [`--net=${netnsPath(node.netns)}`, 'env', ...environment, ...command]
  await run(`run ${command[0]}`, 'nsenter', inside)
}

function configOf({ name, podCidrs }: NodeRecord, mode: ProxyMode, kubeconfig: string): object {
  const clusterCIDR = ['10.0.0.0/8', 'fd00::/8'].slice(0, podCidrs.length).join(',')
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    ...{ mode, hostnameOverride: name, clusterCIDR },
    clientConnection: { kubeconfig },
    // Zero leaves the machine's own limits alone, which are not a namespace's.
    conntrack: { maxPerCore: 0, min: 0 },
    oomScoreAdj: 0,
    metricsBindAddress: '127.0.0.1:10249',
    healthzBindAddress: '127.0.0.1:10256',
  }
}
