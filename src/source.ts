// The source that an agent has by its settings, and what its status and metrics say of it.
import type { Config } from './config.ts'
import type { Condition } from './kube/conditions.ts'
import type { Source, SourceProblem } from './kube/source.ts'
import { StandaloneSource } from './kube/standalone/source.ts'
import { KubernetesSource } from './kube/watch/source.ts'
import type { Logger } from './observe/log.ts'
import type { Tables } from './tables/tables.ts'

interface SourceParts {
  readonly tables: Tables
  readonly conditions: () => readonly Condition[]
  readonly log: Logger
}

/** By the settings: a directory, else an API server. */
export function createSource(config: Config, { tables, conditions, log }: SourceParts): Source {
  const { manifests, apiServers, kubeconfig, nodeName, stateDir } = config
  if (manifests !== undefined) return new StandaloneSource({ directory: manifests, tables, log })
  const access = {
    apiServers,
    env: process.env,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  }
  return new KubernetesSource({ access, tables, nodeName, stateDir, conditions, log })
}

/** How it fares, for status and metrics. */
export function sourceState(source: Source) {
  const { kind, location, synced, lastSyncAt, errors, notes, kinds } = source.health()
  return {
    kind,
    location,
    initialized: synced,
    ageMs: lastSyncAt === undefined ? 0 : Date.now() - lastSyncAt,
    ...(kinds === undefined ? {} : { kinds }),
    errors: errors.map(describe),
    notes: notes.map(describe),
  }
}

function describe({ where, message }: SourceProblem): string {
  return where ? `${where}: ${message}` : message
}
