// A node: namespaces with a root of their own, in them containerd and the kubelet.
import type { ChildProcess } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtProgram } from '../lab/paths.ts'
import { waitUntil } from '../lab/processes.ts'
import { cgroupsOf, type Daemon, inNode, runInside, startDaemon, waitForDaemon } from './daemons.ts'
import { connectNode } from './fabric.ts'
import { containerdConfig, kubeletConfig, STATIC_PODS } from './node-config.ts'
import { NODE_DISKS, NODE_PATHS, nodeScript } from './node-root.ts'
import type { ClusterPaths } from './paths.ts'
import type { NodeRecord } from './record.ts'
import type { NodePlan } from './spec.ts'

/**
 * An API server that falls silent is given up after 10 s and not after 45: a static pod begins only
 * when its mirror is written, or cannot be.
 */
const KUBELET_ENV = ['HTTP2_READ_IDLE_TIMEOUT_SECONDS=5', 'HTTP2_PING_TIMEOUT_SECONDS=5']

export interface NodeParts {
  readonly paths: ClusterPaths
  readonly fabric: number
  readonly bin: string
  readonly debian: string
}

/** Makes the node and starts its daemons; resolves once containerd has the images. */
export async function startNode(parts: NodeParts, plan: NodePlan): Promise<NodeRecord> {
  const directory = join(parts.paths.directory, plan.name)
  for (const disk of Object.keys(NODE_DISKS)) {
    mkdirSync(join(directory, disk), { recursive: true })
  }
  writeConfig(parts.paths.pki, directory, plan)
  const pid = await makeNamespaces(parts, plan, directory)
  await connectNode(parts.fabric, pid, plan)
  await startContainerd(parts, plan, pid)
  await importImages(parts.paths.images, pid)
  startInNode(parts, plan, pid, 'kubelet', ['env', ...KUBELET_ENV, ...kubeletCommand(plan)])
  return { ...plan, pid }
}

function writeConfig(pki: string, directory: string, plan: NodePlan): void {
  const at = (name: string): string => join(directory, 'config', name)
  writeFileSync(at('containerd.toml'), containerdConfig())
  writeFileSync(at('kubelet.yaml'), kubeletConfig())
  // A directory that comes later is looked into every 20 s only.
  mkdirSync(at(STATIC_PODS), { recursive: true })
  copyFileSync(join(pki, 'ca.crt'), at('ca.crt'))
  copyFileSync(join(pki, `${plan.name}.kubeconfig`), at('kubelet.conf'))
}

/** Answers the node's pid 1 once it has its root. */
async function makeNamespaces(
  { paths, bin, debian }: NodeParts,
  { name }: NodePlan,
  directory: string,
): Promise<number> {
  const init = builtProgram('weir-init')
  const script = nodeScript({ name, directory, bin, debian, images: paths.images, init })
  const cgroups = cgroupsOf(name, { isNode: true })
  for (const cgroup of cgroups) mkdirSync(cgroup, { recursive: true })
  inheritCpus(cgroups.filter((path) => path.includes('/cpuset/')))
  const namespaces = ['--net', '--mount', '--uts', '--ipc', '--pid', '--cgroup']
  const child = startDaemon({
    name: `${name}-init`,
    cgroups,
    command: [
      ...['unshare', ...namespaces, '--fork', '--kill-child', '--propagation', 'private'],
      ...['sh', '-c', script],
    ],
    logs: paths.logs,
  })
  let pid: number | undefined
  await waitUntil(() => {
    pid = firstProcess(child)
    return pid !== undefined || child.exitCode !== null
  }, 30_000)
  if (pid !== undefined) return pid
  throw new Error(`Cannot make ${name}: see ${join(paths.logs, `${name}-init.log`)}`)
}

/** A cpuset begins empty, and takes no process before it is filled; so does each above it. */
function inheritCpus(cgroups: readonly string[]): void {
  for (const cgroup of cgroups.flatMap((path) => [join(path, '..'), path])) {
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      writeFileSync(join(cgroup, file), readFileSync(join(cgroup, '..', file)))
    }
  }
}

/** The child of `unshare`, once it has become weir-init. */
function firstProcess({ pid }: ChildProcess): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    const first = Number(children.split(' ')[0])
    const comm = readFileSync(`/proc/${first}/comm`, 'utf8').trim()
    return comm === 'weir-init' ? first : undefined
  } catch {
    return undefined
  }
}

function startInNode(
  { paths }: NodeParts,
  plan: NodePlan,
  pid: number,
  name: string,
  command: readonly string[],
): { daemon: Daemon; child: ChildProcess } {
  const daemon = {
    name: `${plan.name}-${name}`,
    cgroups: cgroupsOf(plan.name, { isNode: true }),
    inside: inNode(pid),
    command: ['env', `PATH=${nodePath()}`, ...command],
    logs: paths.logs,
  }
  return { daemon, child: startDaemon(daemon) }
}

function nodePath(): string {
  const { bin, debian } = NODE_PATHS
  const own = [bin, ...['usr/bin', 'usr/sbin'].map((each) => `${debian}/${each}`)]
  return [...own, '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin'].join(':')
}

async function startContainerd(parts: NodeParts, plan: NodePlan, pid: number): Promise<void> {
  const command = ['containerd', '--config', `${NODE_PATHS.config}/containerd.toml`]
  const { daemon, child } = startInNode(parts, plan, pid, 'containerd', command)
  await waitForDaemon(child, daemon, () => runInside(inNode(pid), [ctr(), 'version']))
}

/** Path of containerd's client in a node. */
export function ctr(): string {
  return join(NODE_PATHS.debian, 'usr/bin/ctr')
}

/** Imports every archive of a directory, which the node sees below its own by `part`. */
export async function importImages(images: string, pid: number, part = ''): Promise<void> {
  for (const file of readdirSync(images).filter((name) => name.endsWith('.tar'))) {
    const command = [ctr(), '-n', 'k8s.io', 'images', 'import', join(NODE_PATHS.images, part, file)]
    const { code, stderr, stdout } = await runInside(inNode(pid), command)
    if (code !== 0) throw new Error(`Cannot import ${file}: ${stderr.trim() || stdout.trim()}`)
  }
}

/** Gives an image of the node more names; all of them full. */
export async function nameImage(
  { name, pid }: NodeRecord,
  image: string,
  others: readonly string[],
): Promise<void> {
  const command = [ctr(), '-n', 'k8s.io', 'images', 'tag', '--force', image, ...others]
  const { code, stderr } = await runInside(inNode(pid), command)
  if (code !== 0) throw new Error(`Cannot name an image on ${name}: ${stderr.trim()}`)
}

function kubeletCommand({ name, addresses, zone }: NodePlan): string[] {
  const place = 'topology.kubernetes.io'
  return [
    'kubelet',
    `--config=${NODE_PATHS.config}/kubelet.yaml`,
    `--kubeconfig=${NODE_PATHS.config}/kubelet.conf`,
    `--node-ip=${addresses.join(',')}`,
    `--hostname-override=${name}`,
    `--node-labels=${place}/region=weir,${place}/zone=${zone}`,
    '--v=2',
  ]
}
