// lab.json: what a lab consists of right now. Written whole and renamed into place; `down` does
// without it, so that a damaged one costs nothing but the status.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import type { Address } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import { LABS_DIRECTORY, labPaths } from './paths.ts'
import type { ProcessIdentity } from './processes.ts'
import type { AgentSettings, LabSpec } from './spec.ts'

export interface NodeRecord {
  readonly name: string
  readonly offLink: boolean
  readonly netns: string
  readonly addresses: readonly Address[]
  readonly podCidrs: readonly Prefix[]
  readonly socket: string
  readonly bpfRoot: string
  readonly cgroup: string
  readonly stateDir: string
  readonly runDir: string
  readonly log: string
  readonly agent: ProcessIdentity | null
}

export interface PodPort {
  readonly name: string
  readonly port: number
  readonly protocol: 'TCP' | 'UDP'
  readonly hostPort?: number
  readonly hostIp?: string
}

export interface PodRecord {
  readonly namespace: string
  readonly name: string
  /** "Deployment default/web" or "Pod default/one". */
  readonly owner: string
  readonly node: string
  readonly hostNetwork: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly ports: readonly PodPort[]
  readonly uid: string
  readonly containerId: string
  readonly netns: string
  readonly cgroup: string
  readonly addresses: readonly Address[]
  readonly server: ProcessIdentity | null
}

export interface LabRecord {
  readonly version: 1
  readonly name: string
  readonly spec: LabSpec
  readonly settings: AgentSettings
  readonly fabric: {
    readonly netns: string
    readonly cgroup: string
    readonly addresses: readonly Address[]
  }
  readonly nodes: readonly NodeRecord[]
  readonly pods: readonly PodRecord[]
}

/** "namespace/name", a pod's key everywhere in the lab. */
export function podKey({ namespace, name }: Pick<PodRecord, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`
}

/** Reads the record. Throws with the way out if there is no such lab or its record is damaged. */
export function readRecord(lab: string): LabRecord {
  const path = labPaths(lab).record
  if (!existsSync(path)) {
    const others = listLabs().join(', ') || 'none'
    throw new Error(`Cannot find lab ${lab}: run "weir lab up" first (labs here: ${others})`)
  }
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LabRecord
  } catch (cause) {
    throw new Error(`Cannot read ${path}: it is damaged; run "weir lab down --name ${lab}"`, {
      cause,
    })
  }
}

export function writeRecord(record: LabRecord): void {
  writeWhole(labPaths(record.name).record, `${JSON.stringify(record, null, 1)}\n`)
}

/** Writes a file so that a reader sees the old content or the new one, never a part. */
export function writeWhole(path: string, text: string): void {
  const directory = path.slice(0, path.lastIndexOf('/'))
  mkdirSync(directory, { recursive: true })
  // Beside the watched directories, never in them, and on the same file system.
  const temporary = `${directory}.new-${process.pid}`
  writeFileSync(temporary, text)
  renameSync(temporary, path)
}

/** Names of the labs of this machine, up or left over. */
export function listLabs(): string[] {
  if (!existsSync(LABS_DIRECTORY)) return []
  return readdirSync(LABS_DIRECTORY, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
}
