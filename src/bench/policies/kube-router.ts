// kube-router on a node of the bench, for NetworkPolicies alone: iptables and ipsets of its own
// namespace, nothing of this machine's.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildOther, KUBE_ROUTER } from '../../cluster/build.ts'
import { inNetns, startDaemon } from '../../cluster/daemons.ts'
import { unpackPackages, withDependencies } from '../../cluster/packages.ts'
import { cacheDirectory } from '../../cluster/paths.ts'
import { netnsPath } from '../../lab/paths.ts'
import { endProcess, identify, type ProcessIdentity } from '../../lab/processes.ts'
import type { NodeRecord } from '../../lab/record.ts'
import { linkTools, toolEnvironment } from '../iptables.ts'
import type { ApiPlace } from '../scale/place.ts'
import { isolation, meet, type Probe } from './effects.ts'

/** What it is and what it runs. */
export interface RouterTools {
  readonly program: string
  readonly root: string
}

/** Builds and unpacks what the cache lacks. */
export async function findRouterTools(say: (line: string) => void): Promise<RouterTools> {
  const cache = cacheDirectory()
  const program = await buildOther(cache, say, KUBE_ROUTER)
  const names = await withDependencies(['iptables', 'ipset'])
  return { program, root: await unpackPackages(cache, names) }
}

/** In a big cluster its first rules take minutes. */
const FIRST_RULES_MS = 1_200_000

/**
 * Starts it and waits for its first rules, by a policy that isolates the probe's server. The policy
 * stays.
 */
export async function startKubeRouter(
  tools: RouterTools,
  node: NodeRecord,
  { kubeconfig, client }: ApiPlace,
  probe: Probe,
): Promise<ProcessIdentity> {
  const { path, object } = isolation(probe.namespace)
  await client.ask('POST', path, object)
  const identity = launch(tools, node, kubeconfig)
  try {
    await meet(probe, false, FIRST_RULES_MS)
    return identity
  } catch (error) {
    await endProcess(identity)
    throw error
  }
}

function launch(
  { program, root }: RouterTools,
  node: NodeRecord,
  kubeconfig: string,
): ProcessIdentity {
  const directory = join(node.runDir, 'kube-router')
  mkdirSync(directory, { recursive: true })
  linkTools(root, directory)
  const flags = [
    ...['--run-firewall=true', '--run-router=false', '--run-service-proxy=false'],
    // Its IPv6 names ipsets that it does not make, and then nothing of either family is enforced.
    ...['--enable-ipv4=true', '--enable-ipv6=false', '--service-cluster-ip-range=10.96.0.0/16'],
    ...[`--hostname-override=${node.name}`, `--kubeconfig=${kubeconfig}`],
    ...['--health-port=0', '--cache-sync-timeout=10m'],
  ]
  const child = startDaemon({
    name: 'kube-router',
    cgroups: [join(node.cgroup, 'kube-router')],
    inside: inNetns(netnsPath(node.netns)),
    command: ['env', ...toolEnvironment(root, directory), program, ...flags],
    logs: join(node.runDir, 'logs'),
  })
  const identity = identify(child.pid ?? 0)
  if (!identity) throw new Error('Cannot start kube-router: it ended at once')
  return identity
}
