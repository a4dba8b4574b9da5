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

export function readMachine(): Machine {
  return {
    links: lines('ip', '-o', 'link').map((line) => line.split(':').slice(1, 2).join().trim()),
    routes: [...lines('ip', 'route', 'show', 'table', 'all'), ...lines('ip', '-6', 'route')],
    rules: [...lines('ip', 'rule'), ...lines('ip', '-6', 'rule')],
    namespaces: listTree('/run/netns', 1),
    mounts: readFileSync('/proc/self/mounts', 'utf8').trim().split('\n').sort(),
    cgroups: listTree(cgroupMount(), 4).filter((path) => !/\/[^/]*\.[^/]*$/.test(path)),
    files: [
      ...listTree('/run', 1),
      ...listTree('/run/weir-lab', 6),
      ...listTree('/var/lib/weir', 3),
    ],
    pins: listTree('/sys/fs/bpf', 4),
    processes: weirProcesses(),
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

/** Command lines of agents and pods that run for any lab. */
function weirProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()]
      } catch {
        return []
      }
    })
    .filter((line) => line.includes('/run/weir-lab/') || line.includes('/weir-pod serve'))
    .sort()
}
