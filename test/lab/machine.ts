// What a lab could leave behind on a machine: read before and after, and compared.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cgroupMount } from '../../src/lab/cgroups.ts'

/** Everything that `weir lab down` must give back, as comparable text. */
export interface Machine {
  readonly links: readonly string[]
  readonly routes: readonly string[]
  readonly rules: readonly string[]
  readonly namespaces: readonly string[]
  readonly mounts: readonly string[]
  readonly cgroups: readonly string[]
  readonly files: readonly string[]
  readonly pins: readonly string[]
  readonly processes: readonly string[]
}

/**
 * Reads it all, for a lab of this name. Other labs and tests may come and go meanwhile: what bears
 * their names ("weir..." without ours) is left out.
 */
export function readMachine(lab: string): Machine {
  const ours = (text: string): boolean => !text.includes('weir') || text.includes(lab)
  return {
    links: lines('ip', '-o', 'link').map((line) => line.split(':').slice(1, 2).join().trim()),
    routes: [...lines('ip', 'route', 'show', 'table', 'all'), ...lines('ip', '-6', 'route')],
    rules: [...lines('ip', 'rule'), ...lines('ip', '-6', 'rule')],
    namespaces: listTree('/run/netns', 1).filter(ours),
    // `ip netns` mounts its directory over itself when it is first used, by whomever.
    mounts: readFileSync('/proc/self/mounts', 'utf8')
      .trim()
      .split('\n')
      .filter((line) => ours(line) && line.split(' ')[1] !== '/run/netns')
      .sort(),
    cgroups: listTree(cgroupMount(), 4)
      .filter((path) => !/\/[^/]*\.[^/]*$/.test(path))
      .filter(ours),
    files: [
      ...listTree('/run', 1),
      ...listTree('/run/weir-lab', 6),
      ...listTree('/var/lib/weir', 3),
    ].filter((path) => ours(path) && path !== '/run/netns'),
    pins: listTree('/sys/fs/bpf', 4),
    processes: processesOf(lab),
  }
}

function lines(file: string, ...args: readonly string[]): string[] {
  return execFileSync(file, args, { encoding: 'utf8' }).trim().split('\n').filter(Boolean).sort()
}

function listTree(path: string, depth: number): string[] {
  if (!existsSync(path) || depth === 0) return []
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => {
      const below = join(path, entry.name)
      return [below, ...(entry.isDirectory() ? listTree(below, depth - 1) : [])]
    })
    .sort()
}

/** Command lines of what runs in the lab's cgroup or names the lab. */
function processesOf(lab: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => {
      try {
        const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        // A zombie has no command line; it waits for its parent and holds nothing.
        return command && (cgroup.includes(lab) || command.includes(lab)) ? [command] : []
      } catch {
        return []
      }
    })
    .sort()
}
