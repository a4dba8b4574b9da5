// Starts processes of the cluster where they belong: first into the cgroups (entering a cgroup
// namespace moves nobody into a cgroup), then into the namespaces of another process. They outlive
// the command that started them, and end with the cluster's cgroup.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cgroupPids } from '../lab/cgroups.ts'
import { identify, waitUntil } from '../lab/processes.ts'
import { type Finished, runAnyway } from '../lab/run.ts'
import { CONTROLLERS, clusterCgroup, controllerCgroup } from './paths.ts'

/** Namespaces that are entered, as arguments of nsenter. */
export interface Inside {
  readonly enter: readonly string[]
}

/** A network namespace by its file. */
export function inNetns(path: string): Inside {
  return { enter: [`--net=${path}`] }
}

/** The network namespace of a process: the control plane's by the one that holds it, a pod's. */
export function inNetworkOf(pid: number): Inside {
  return { enter: ['-t', String(pid), '-n'] }
}

/** A node: all its namespaces, its root and its working directory. */
export function inNode(pid: number): Inside {
  return { enter: ['-t', String(pid), '-m', '-u', '-i', '-n', '-p', '-C', '-r', '-w'] }
}

/** Cgroups of a part of the cluster in every hierarchy; the control plane has only one. */
export function cgroupsOf(part: string, { isNode = false } = {}): string[] {
  const unified = join(clusterCgroup(), part)
  return isNode ? [unified, ...CONTROLLERS.map((each) => controllerCgroup(each, part))] : [unified]
}

const SCRIPT = 'for d in $1; do echo $$ > "$d/cgroup.procs" || exit 1; done; shift; exec "$@"'

/** The arguments of `sh` that join the cgroups, enter the namespaces and become the command. */
export function placedCommand(
  cgroups: readonly string[],
  inside: Inside | undefined,
  command: readonly string[],
): string[] {
  const enter = inside ? ['nsenter', ...inside.enter, '--'] : []
  return ['-c', SCRIPT, 'sh', cgroups.join(' '), ...enter, ...command]
}

export interface Daemon {
  readonly name: string
  readonly cgroups: readonly string[]
  readonly inside?: Inside
  readonly command: readonly string[]
  readonly logs: string
}

/** Starts a daemon; its output goes to NAME.log. */
export function startDaemon({ name, cgroups, inside, command, logs }: Daemon): ChildProcess {
  mkdirSync(logs, { recursive: true })
  for (const cgroup of cgroups) mkdirSync(cgroup, { recursive: true })
  const log = openSync(join(logs, `${name}.log`), 'a')
  const child = spawn('sh', placedCommand(cgroups, inside, command), {
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  child.unref()
  if (child.pid === undefined) throw new Error(`Cannot start ${name}: see its log in ${logs}`)
  return child
}

/** Waits until a look succeeds. Throws when the daemon ended, or after a while. */
export async function waitForDaemon(
  { pid }: ChildProcess,
  { name, logs }: Pick<Daemon, 'name' | 'logs'>,
  look: () => Promise<Finished>,
): Promise<void> {
  let last = ''
  const ready = await waitUntil(
    async () => {
      if (pid === undefined || !identify(pid)) return true
      const { code, stdout, stderr } = await look()
      last = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? ''
      return code === 0
    },
    180_000,
    250,
  )
  if (ready && pid !== undefined && identify(pid)) return
  const state = ready ? 'it ended' : `not ready after three minutes: ${last}`
  throw new Error(`Cannot start ${name}: ${state}; see ${join(logs, `${name}.log`)}`)
}

/** Runs a program in the place to its end. */
export function runInside(inside: Inside, command: readonly string[], input?: string) {
  const args = [...inside.enter, '--', ...command]
  return runAnyway('nsenter', args, input === undefined ? {} : { input })
}

/** Pids of a part of the cluster, pods included, by their command lines. */
export function processesOf(part: string, matches: (command: string) => boolean): number[] {
  const [unified = ''] = cgroupsOf(part)
  return cgroupPids(unified).filter((pid) => {
    try {
      return matches(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
    } catch {
      return false
    }
  })
}
