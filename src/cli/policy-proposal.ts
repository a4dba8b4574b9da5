// What `weir policy what-if` is to try: policies of files that are added or replace others, and
// names of those that go.
import { readFileSync } from 'node:fs'
import { readManifest } from '../kube/standalone/manifest.ts'
import type { Table } from '../state/table.ts'
import type { Tables } from '../tables/tables.ts'

export interface Proposal {
  /** Manifests; '-' is standard input. */
  readonly filename?: readonly string[]
  /** "namespace/name" of NetworkPolicies, names of ClusterNetworkPolicies. */
  readonly delete?: readonly string[]
}

/**
 * Makes it so in the tables; first what goes, so that a name may come again. Answers what of the
 * policies is not understood, a sentence each. Throws a sentence for whatever cannot be tried.
 */
export function propose(tables: Tables, { filename = [], delete: gone = [] }: Proposal): string[] {
  if (filename.length + gone.length === 0) {
    throw new Error('Cannot judge anything: give policies with -f FILE or --delete NAME')
  }
  for (const name of gone) removePolicy(tables, name)
  return filename.flatMap((file) => addManifest(tables, readText(file), file))
}

function removePolicy({ networkPolicies, clusterNetworkPolicies }: Tables, name: string): void {
  const [kind, table] = name.includes('/')
    ? (['NetworkPolicy', networkPolicies] as const)
    : (['ClusterNetworkPolicy', clusterNetworkPolicies] as const)
  if (!table.get(name)) throw new Error(`Cannot delete ${kind} ${name}: there is none of this name`)
  table.delete(name)
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const states: Record<string, string> = {
      ENOENT: 'there is no such file',
      EISDIR: 'it is a directory',
    }
    throw new Error(`Cannot read ${file}: ${states[code ?? ''] ?? message}`, { cause: error })
  }
}

/** Throws a sentence for whatever of the file is no policy or cannot be read. */
export function addManifest(tables: Tables, text: string, file: string): string[] {
  const { objects, faults, duplicates, ignoredKinds } = readManifest(
    text,
    file.endsWith('.json') ? 'json' : 'yaml',
  )
  const [fault] = [...faults, ...duplicates]
  if (fault) throw new Error(`${file}:${fault.line}: ${fault.message}`)
  const policies: readonly object[] = [tables.networkPolicies, tables.clusterNetworkPolicies]
  const others = objects.filter(({ kind }) => !policies.includes(kind.tableOf(tables)))
  const [other] = [...ignoredKinds, ...others.map(({ id }) => id)]
  if (other !== undefined) throw new Error(`Cannot judge ${other} of ${file}: it is no policy`)
  if (objects.length === 0) throw new Error(`Cannot judge ${file}: there is no policy in it`)
  for (const { kind, row } of objects) {
    if (row) (kind.tableOf(tables) as unknown as Table<object>).upsert(row)
  }
  return objects.flatMap(({ notes }) => notes)
}
