// Where a lab keeps its things. Everything is found again from the lab's name alone.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cgroupMount } from './cgroups.ts'

export const LABS_DIRECTORY = '/run/weir-lab'
export const NETNS_DIRECTORY = '/run/netns'
/** Written when a lab had to make /run/netns itself, so that the last `down` removes it. */
export const MADE_NETNS_DIRECTORY = `${LABS_DIRECTORY}/.made-netns-directory`

export interface LabPaths {
  readonly directory: string
  readonly record: string
  readonly objects: string
  readonly lock: string
  readonly netnsJournal: string
  /** Watched by every agent of the lab. */
  readonly manifests: string
  readonly cgroup: string
}

/** Prefix of namespaces and cgroups: the lab's name, led by "weir". */
export function labPrefix(lab: string): string {
  return lab.startsWith('weir') ? lab : `weir-${lab}`
}

export function labPaths(lab: string): LabPaths {
  if (!/^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$/.test(lab)) {
    throw new Error(`Cannot use "${lab}" as a lab's name: use a-z, 0-9 and '-'`)
  }
  const directory = join(LABS_DIRECTORY, lab)
  return {
    directory,
    record: join(directory, 'lab.json'),
    objects: join(directory, 'objects.json'),
    // Beside the lab and not in it: the lab's directory says that there is a lab.
    lock: `${directory}.lock`,
    netnsJournal: join(directory, 'netns'),
    manifests: join(directory, 'manifests'),
    cgroup: join(cgroupMount(), labPrefix(lab)),
  }
}

export function netnsPath(name: string): string {
  return join(NETNS_DIRECTORY, name)
}

/** Root of the checkout or of the installed package. */
export function projectRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory)
    if (parent === directory) throw new Error('Cannot find the project: no package.json above')
    directory = parent
  }
  return directory
}

/** A compiled BPF object: "weir" or "bench". */
export function builtObject(name: string): string {
  const path = join(projectRoot(), 'bpf', 'out', `${name}.bpf.o`)
  if (!existsSync(path)) throw new Error(`Cannot find ${path}: run "make build" first`)
  return path
}

/** A built program, or an error that says how to build it. */
export function builtProgram(name: string): string {
  const path = join(projectRoot(), 'native', 'out', name)
  if (!existsSync(path)) throw new Error(`Cannot find ${path}: run "make build" first`)
  return path
}
