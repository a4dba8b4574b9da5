// Running things where they belong: inside a namespace and inside a cgroup, so that socket hooks
// see them and clean-up finds them.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { makeCgroup } from './cgroups.ts'
import { builtProgram, netnsPath } from './paths.ts'

export interface Place {
  readonly netns: string
  readonly cgroup: string
}

export interface StartOptions {
  readonly stdio?: StdioOptions
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Its own session, so that it outlives whoever started it. */
  readonly detached?: boolean
}

/** The command line that enters the place and becomes the command; the pid stays the same. */
export function enterCommand(place: Place, command: readonly string[]): string[] {
  const script = 'echo $$ > "$0/cgroup.procs" && n="$1" && shift && exec nsenter --net="$n" -- "$@"'
  return ['-c', script, place.cgroup, netnsPath(place.netns), ...command]
}

/** Starts a command in a place. The lab's own programs are on its PATH. */
export function startIn(
  place: Place,
  command: readonly string[],
  { stdio = 'inherit', env = {}, cwd, detached = false }: StartOptions = {},
): ChildProcess {
  makeCgroup(place.cgroup)
  const path = `${process.env['PATH'] ?? ''}:${dirname(builtProgram('weir-pod'))}`
  return spawn('sh', enterCommand(place, command), {
    stdio,
    detached,
    env: { ...process.env, PATH: path, ...env },
    ...(cwd ? { cwd } : {}),
  })
}

/** Exit code of a child as a shell would give it: 128 + n for signal n. */
export function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      resolve(code ?? 128 + (signal ? (SIGNALS[signal] ?? 0) : 0))
    })
  })
}

const SIGNALS: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
}
