// One manifest file's text to objects: several documents, lists within them, and for each fault its
// line. A bad document does not spoil the others; the caller decides what becomes of the rows it
// gave before.
import { type Document, isNode, LineCounter, parseAllDocuments } from 'yaml'
import { type FieldPath, ObjectError } from '../fields.ts'
import { findKind, type Kind } from '../kinds.ts'
import { type Converted, describeObject } from '../metadata.ts'

export interface ManifestObject {
  /** "Service default/web": one object of the cluster, however many files claim it. */
  readonly id: string
  readonly kind: Kind
  /** Absent: the object asks nothing of a node. */
  readonly row?: object
  readonly notes: readonly string[]
  /** In JSON the document's, for an item's own would take a second, slow reading of the file. */
  readonly line: number
  readonly document: number
}

export interface Fault {
  /** Counted from 1. */
  readonly line: number
  readonly document: number
  readonly message: string
}

export interface Manifest {
  readonly objects: readonly ManifestObject[]
  /** What could not be used: some object that was meant to be here is not in `objects`. */
  readonly faults: readonly Fault[]
  /** Objects given twice in this file; the first one counts. */
  readonly duplicates: readonly Fault[]
  /** "apps/v1 Deployment": kinds that nobody here reads. */
  readonly ignoredKinds: readonly string[]
}

/** A parsed document and the way from a path inside it to a line. */
interface Parsed {
  readonly number: number
  readonly value: unknown
  readonly lineOf: (path: FieldPath) => number
  /** As lineOf where that is cheap, else the line where the document begins. */
  readonly quickLineOf: (path: FieldPath) => number
}

/** Never throws: what is wrong is in `faults`. */
export function readManifest(text: string, format: 'yaml' | 'json'): Manifest {
  const faults: Fault[] = []
  const documents = format === 'json' ? parseJson(text, faults) : parseYaml(text, faults)
  const objects = new Map<string, ManifestObject>()
  const duplicates: Fault[] = []
  const ignoredKinds = new Set<string>()
  for (const document of documents) {
    for (const { value, path } of flatten(document.value)) {
      const at = { document: document.number, line: document.quickLineOf(path) }
      try {
        const object = readObject(value)
        if (typeof object === 'string') ignoredKinds.add(object)
        else if (!objects.has(object.id)) objects.set(object.id, { ...object, ...at })
        else {
          const message = `${object.id} is given twice in this file; the first one counts`
          duplicates.push({ ...at, line: document.lineOf(path), message })
        }
      } catch (error) {
        if (!(error instanceof ObjectError)) throw error
        const line = document.lineOf([...path, ...error.path])
        faults.push({ ...at, line, message: error.message })
      }
    }
  }
  return { objects: [...objects.values()], faults, duplicates, ignoredKinds: [...ignoredKinds] }
}

/** The object, or the name of its kind when nobody here reads that. */
function readObject(value: unknown): Omit<ManifestObject, 'line' | 'document'> | string {
  const { apiVersion, kind } = (value ?? {}) as Record<string, unknown>
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') {
    throw new ObjectError(
      'this document',
      [],
      'it is no Kubernetes object; give it apiVersion, kind and metadata',
    )
  }
  const known = findKind(apiVersion, kind)
  if (!known) return `${apiVersion} ${kind}`
  const { row, notes = [] }: Converted<object> = known.convert(value as never)
  return { id: describeObject(kind, value), kind: known, notes, ...(row ? { row } : {}) }
}

/** Lists deeper than this are taken for objects, of a kind that nobody reads. */
const MAX_LIST_DEPTH = 8

/**
 * The objects of a document: itself, or the items of a List ("List", "ServiceList").
 */
function* flatten(
  value: unknown,
  path: FieldPath = [],
  depth = 0,
): IterableIterator<{ value: unknown; path: FieldPath }> {
  if (value === null || value === undefined) return
  const { apiVersion, kind, items } = value as Record<string, unknown>
  const isList = typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)
  if (!isList || depth === MAX_LIST_DEPTH) {
    yield { value, path }
    return
  }
  const element = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) }
  for (const [at, item] of items.entries()) {
    const isObject = typeof item === 'object' && item !== null
    const object = isObject ? { ...element, ...item } : item
    yield* flatten(object, [...path, 'items', at], depth + 1)
  }
}

function parseYaml(text: string, faults: Fault[]): Parsed[] {
  const lines = new LineCounter()
  const options = { lineCounter: lines, prettyErrors: false, merge: true } as const
  const documents = parseAllDocuments(text, options)
  const parsed: Parsed[] = []
  for (const [at, document] of [...documents].entries()) {
    const number = at + 1
    const error = document.errors[0]
    if (error) {
      const line = lines.linePos(error.pos[0]).line
      faults.push({ line, document: number, message: `Cannot parse YAML: ${error.message}` })
      continue
    }
    const lineOf = (path: FieldPath) => yamlLine(document, path, lines)
    try {
      parsed.push({ number, value: toPlain(document), lineOf, quickLineOf: lineOf })
    } catch (error) {
      const message = `Cannot parse YAML: ${(error as Error).message}`
      faults.push({ line: lineOf([]), document: number, message })
    }
  }
  return parsed
}

/**
 * The document as the API server would have it: JSON and nothing else. The detour also frees the
 * file's text: strings that the parser cut out of it would keep the whole of it in memory.
 */
function toPlain(document: Document): unknown {
  return JSON.parse(JSON.stringify(document.toJS() ?? null))
}

/**
 * The line of the deepest node on the path that is there: of a missing field it is its parent's.
 */
function yamlLine(document: Document, path: FieldPath, lines: LineCounter): number {
  for (let length = path.length; length >= 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return 1
}

/** JSON.parse is far faster; YAML, its superset, is asked only for the line of a fault. */
function parseJson(text: string, faults: Fault[]): Parsed[] {
  try {
    const value: unknown = JSON.parse(text)
    return [{ number: 1, value, lineOf: jsonLineFinder(text), quickLineOf: () => 1 }]
  } catch (error) {
    const { message } = error as Error
    const line = Number(/\(line (\d+) /.exec(message)?.[1] ?? lastLine(text))
    faults.push({ line, document: 1, message: `Cannot parse JSON: ${message}` })
    return []
  }
}

function jsonLineFinder(text: string): (path: FieldPath) => number {
  let parsed: { document: Document; lines: LineCounter } | undefined
  return (path) => {
    if (path.length === 0) return 1
    if (!parsed) {
      const lines = new LineCounter()
      const document = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })[0]
      parsed = { document: document as Document, lines }
    }
    return yamlLine(parsed.document, path, parsed.lines)
  }
}

function lastLine(text: string): number {
  return text.split('\n').length
}
