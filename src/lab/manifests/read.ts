// Reads manifests as people have them: several documents a file, `kind: List`, JSON. What is wrong
// is told with file and line, all of it at once, before anything is applied.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Document, isCollection, LineCounter, parseAllDocuments } from 'yaml'

/** Fields by name, as YAML gives them; readers look with `as` and check. */
export type Fields = Readonly<Record<string, unknown>>

export interface KubeObject {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly body: Fields
  /** "file:line" of the document. */
  readonly source: string
}

const MANIFEST = /\.(ya?ml|json)$/
const CLUSTER_SCOPED = new Set([
  ...['Namespace', 'Node', 'ClusterRole', 'ClusterRoleBinding', 'ClusterNetworkPolicy'],
])

/** "Deployment default/web". */
export function objectKey({
  kind,
  namespace,
  name,
}: Pick<KubeObject, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace}/${name}`
}

/** All objects of files and directories ('-': stdin). Throws one error with a line per problem. */
export function readManifests(paths: readonly string[]): KubeObject[] {
  const problems: string[] = []
  const objects = paths.flatMap(listFiles).flatMap((file) => {
    const text = readFileSync(file === '-' ? 0 : file, 'utf8')
    return readText(text, file === '-' ? 'stdin' : file, problems)
  })
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return objects
}

/** Manifests of one text; problems are added as "Cannot read FILE:LINE: ...". */
export function readText(text: string, file: string, problems: string[]): KubeObject[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })
  if (!Array.isArray(documents)) return []
  return documents.flatMap((document) => {
    for (const error of document.errors) {
      const { line } = lines.linePos(error.pos[0])
      problems.push(`Cannot read ${file}:${line}: ${error.message}`)
    }
    const value = document.errors.length > 0 ? null : (document.toJS() as unknown)
    // A document of comments only, as templates leave them, holds null.
    if (value === null) return []
    const { line } = lines.linePos(firstOffset(document))
    return readObject(value, `${file}:${line}`, problems)
  })
}

function firstOffset(document: Document.Parsed): number {
  const { contents } = document
  if (isCollection(contents)) return contents.range?.[0] ?? 0
  return document.range[0]
}

function readObject(value: unknown, source: string, problems: string[]): KubeObject[] {
  const fail = (state: string): KubeObject[] => {
    problems.push(`Cannot read ${source}: ${state}`)
    return []
  }
  if (!isFields(value)) return fail('not a Kubernetes object')
  const { kind, apiVersion, items } = value
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
    return fail('it has no kind or no apiVersion')
  }
  if (kind.endsWith('List') && Array.isArray(items)) {
    return items.flatMap((item: unknown) => readObject(item, source, problems))
  }
  const metadata = fieldsOf(value, 'metadata')
  const { name, namespace } = metadata
  if (typeof name !== 'string' || name === '') return fail(`this ${kind} has no metadata.name`)
  if (namespace !== undefined && typeof namespace !== 'string') {
    return fail(`metadata.namespace of ${kind} ${name} is not a text`)
  }
  return [
    {
      kind,
      name,
      namespace: CLUSTER_SCOPED.has(kind) ? '' : (namespace ?? 'default'),
      labels: stringsOf(metadata, 'labels'),
      body: value,
      source,
    },
  ]
}

function listFiles(path: string): string[] {
  if (path === '-') return [path]
  if (!statSync(path, { throwIfNoEntry: false })) {
    throw new Error(`Cannot read ${path}: there is no such file or directory`)
  }
  if (!statSync(path).isDirectory()) return [path]
  const files = readdirSync(path).filter((file) => MANIFEST.test(file))
  if (files.length === 0) throw new Error(`Cannot read ${path}: it holds no .yaml or .json file`)
  return files.sort().map((file) => join(path, file))
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An object's member that is an object, else an empty one. */
export function fieldsOf(parent: Fields, name: string): Fields {
  const value = parent[name]
  return isFields(value) ? value : {}
}

/** An object's member that is a list of objects, else an empty one. */
export function listOf(parent: Fields, name: string): Fields[] {
  const value = parent[name]
  return Array.isArray(value) ? value.filter(isFields) : []
}

/** An object's member that maps names to texts; numbers and booleans become texts. */
export function stringsOf(parent: Fields, name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fieldsOf(parent, name)).map(([key, value]) => [key, String(value)]),
  )
}
