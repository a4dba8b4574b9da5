// What people should know of their manifests: errors (something is not in force as written) and
// notes (understood, but not done). Each is logged once when it comes and once when it goes.
import type { Logger } from 'pino'
import type { SourceProblem } from '../source.ts'
import type { Claims } from './claims.ts'
import type { Look } from './directory.ts'
import type { Fault } from './manifest.ts'

/** What of a read file can be a problem. */
export interface FileProblems {
  readonly faults: readonly Fault[]
  readonly duplicates: readonly Fault[]
  readonly ignoredKinds: readonly string[]
}

export interface Problems {
  readonly errors: readonly SourceProblem[]
  readonly notes: readonly SourceProblem[]
}

const NO_PROBLEMS: FileProblems = { faults: [], duplicates: [], ignoredKinds: [] }

/** Errors of whole files first, then by name of file. */
export function collectProblems(
  files: ReadonlyMap<string, FileProblems>,
  claims: Claims,
  { unreadable, unwatched }: Pick<Look, 'unreadable' | 'unwatched'>,
): Problems {
  const errors: SourceProblem[] = []
  const notes: SourceProblem[] = []
  const ignored = new Map<string, string>()
  for (const [where, message] of unreadable) errors.push({ where, message })
  for (const path of [...files.keys()].sort()) {
    const { faults, duplicates, ignoredKinds } = files.get(path) ?? NO_PROBLEMS
    for (const fault of [...faults, ...duplicates]) {
      errors.push({ where: formatWhere(path, fault), message: fault.message })
    }
    for (const object of claims.of(path).values()) {
      for (const message of object.notes) notes.push({ where: formatWhere(path, object), message })
    }
    for (const kind of ignoredKinds) if (!ignored.has(kind)) ignored.set(kind, path)
  }
  for (const { owner, loser, object } of claims.contested()) {
    const message = `${object.id} is given by ${owner} too; the first file by name counts`
    errors.push({ where: formatWhere(loser, object), message })
  }
  for (const [kind, where] of ignored) {
    notes.push({ where, message: `Nothing reads ${kind}: objects of this kind are passed over` })
  }
  for (const [where, fault] of unwatched) {
    notes.push({ where, message: `Changes are seen late, for it cannot be watched: ${fault}` })
  }
  return { errors, notes }
}

/** "web.yaml:12 (document 2)". */
function formatWhere(path: string, { line, document }: Pick<Fault, 'line' | 'document'>): string {
  return `${path}:${line} (document ${document})`
}

export class ProblemLog {
  readonly #log: Pick<Logger, 'info' | 'warn'>
  #known = new Map<string, SourceProblem>()

  constructor(log: Pick<Logger, 'info' | 'warn'>) {
    this.#log = log
  }

  /** Logs what is new and what is over since the last call. */
  update({ errors, notes }: Problems): void {
    const before = this.#known
    this.#known = new Map()
    const add = (problem: SourceProblem, tell: () => void): void => {
      const key = `${problem.where} ${problem.message}`
      if (!before.has(key) && !this.#known.has(key)) tell()
      this.#known.set(key, problem)
    }
    for (const error of errors) {
      add(error, () => this.#log.warn(facts(error), 'cannot use a manifest; what it gave stays'))
    }
    for (const note of notes) {
      add(note, () => this.#log.info(facts(note), 'a manifest asks for what is not done'))
    }
    for (const [key, problem] of before) {
      if (!this.#known.has(key)) this.#log.info(facts(problem), 'a problem with manifests is over')
    }
  }
}

function facts({ where, message }: SourceProblem): { manifest: string; err: string } {
  return { manifest: where, err: message }
}
