// cluster.json: what the running cluster consists of. `down` does without it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { NodePlan } from './spec.ts'

export interface NodeRecord extends NodePlan {
  /** Pid 1 of the node, as this machine counts. */
  readonly pid: number
}

export interface ClusterRecord {
  /** Holds the network namespace of the control plane. */
  readonly fabric: number
  /** kubectl and the like. */
  readonly bin: string
  readonly nodes: readonly NodeRecord[]
}

export function writeRecord(path: string, record: ClusterRecord): void {
  writeFileSync(path, `${JSON.stringify(record, null, 1)}\n`)
}

/** Throws with the way out when there is no cluster. */
export function readRecord(path: string): ClusterRecord {
  if (!existsSync(path)) throw new Error('Cannot find a cluster: run "weir cluster up" first')
  return JSON.parse(readFileSync(path, 'utf8')) as ClusterRecord
}
