// The standalone source: a directory of Kubernetes manifests instead of an API server. What was
// good stays in force until it is good again: a typo never takes a Service away, and neither does
// an unreadable file.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { later } from '../../state/timer.ts'
import type { Tables } from '../../tables/tables.ts'
import { KINDS } from '../kinds.ts'
import type { Source, SourceHealth } from '../source.ts'
import { Claims } from './claims.ts'
import { Directory, type FoundFile, type Look } from './directory.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { collectProblems, type FileProblems, ProblemLog } from './problems.ts'

export interface StandaloneOptions {
  readonly directory: string
  readonly tables: Tables
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** Looks this often without an event, for what cannot be watched (targets of symlinks). */
  readonly rescanMs?: number
  /** Looks once this long nothing happened, so that a file is not read half-written. */
  readonly settleMs?: number
}

/** A file as it was last read. */
interface ReadFile extends FileProblems {
  readonly stamp: string | undefined
  readonly hash: string
}

const READS_AT_ONCE = 32
const SETTLE_AT_MOST_MS = 250
const YOUNG_FILE_MS = 150
const UNREADABLE_ROOT_MS = 1000

export class StandaloneSource implements Source {
  readonly #tables: Tables
  readonly #root: string
  readonly #rescanMs: number
  readonly #settleMs: number
  readonly #directory: Directory
  readonly #claims = new Claims()
  readonly #files = new Map<string, ReadFile>()
  readonly #problemLog: ProblemLog
  #unreadable: ReadonlyMap<string, string> = new Map()
  #unwatched: ReadonlyMap<string, string> = new Map()
  #lastSyncAt: number | undefined
  #running = false
  #looking: Promise<void> | undefined
  /** When the first event came that no look has answered. */
  #eventAt: number | undefined
  #cancelLook: (() => void) | undefined

  constructor({ directory, tables, log, rescanMs = 30_000, settleMs = 25 }: StandaloneOptions) {
    this.#root = directory
    this.#tables = tables
    this.#rescanMs = rescanMs
    this.#settleMs = settleMs
    this.#problemLog = new ProblemLog(log)
    this.#directory = new Directory(directory, isManifest, () => this.#onEvent())
  }

  /** Resolves after a look, whether or not the directory could be read. May follow a stop(). */
  async start(): Promise<void> {
    this.#running = true
    await this.#lookNow()
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#cancelLook?.()
    await this.#looking
    this.#directory.close()
  }

  health(): SourceHealth {
    return {
      kind: 'manifests',
      location: this.#root,
      synced: this.#lastSyncAt !== undefined,
      ...(this.#lastSyncAt === undefined ? {} : { lastSyncAt: this.#lastSyncAt }),
      objects: Object.fromEntries(
        KINDS.map(({ kind, tableOf }) => [kind, tableOf(this.#tables).size]),
      ),
      ...this.#problems(),
    }
  }

  #problems() {
    const unreadable = this.#unreadable
    return collectProblems(this.#files, this.#claims, { unreadable, unwatched: this.#unwatched })
  }

  #onEvent(): void {
    this.#eventAt ??= Date.now()
    if (!this.#looking) this.#scheduleLook()
  }

  #scheduleLook(): void {
    this.#cancelLook?.()
    if (!this.#running) return
    const delayMs =
      this.#eventAt === undefined
        ? this.#quietMs()
        : Math.min(this.#settleMs, this.#eventAt + SETTLE_AT_MOST_MS - Date.now())
    this.#cancelLook = later(delayMs, () => void this.#lookNow())
  }

  /** How long to wait when nothing happens. */
  #quietMs(): number {
    if (this.#unreadable.has('')) return Math.min(UNREADABLE_ROOT_MS, this.#rescanMs)
    const young = [...this.#files.values()].some(({ stamp }) => stamp === undefined)
    return young ? Math.min(YOUNG_FILE_MS, this.#rescanMs) : this.#rescanMs
  }

  async #lookNow(): Promise<void> {
    this.#eventAt = undefined
    this.#looking = this.#look()
    await this.#looking
    this.#looking = undefined
    this.#scheduleLook()
  }

  /** Reads what changed, then writes all of it into the tables in one turn. */
  async #look(): Promise<void> {
    const look = await this.#directory.look()
    const unreadable = new Map(look.unreadable)
    const changed = look.files.filter(({ path, stamp }) => {
      return stamp === undefined || this.#files.get(path)?.stamp !== stamp
    })
    for (let at = 0; at < changed.length; at += READS_AT_ONCE) {
      const files = changed.slice(at, at + READS_AT_ONCE)
      const texts = await Promise.all(files.map(({ path }) => this.#readText(path)))
      // In order of name, so that equal directories give equal tables, in equal order.
      for (const [n, file] of files.entries()) {
        const text = texts[n]
        if (text instanceof Error) unreadable.set(file.path, text.message)
        else if (text !== undefined) this.#accept(file, text)
      }
    }
    this.#forgetMissing(look)
    this.#unreadable = unreadable
    this.#unwatched = look.unwatched
    this.#claims.apply(this.#tables)
    if (!unreadable.has('')) {
      this.#lastSyncAt = Date.now()
      for (const { tableOf } of KINDS) tableOf(this.#tables).markInitialized()
    }
    this.#problemLog.update(this.#problems())
  }

  /**
   * An error is for people: what the file gave before stays. Undefined: gone since it was listed.
   */
  async #readText(path: string): Promise<string | Error | undefined> {
    try {
      return await readFile(join(this.#root, path), 'utf8')
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : (error as Error)
    }
  }

  #accept({ path, stamp }: FoundFile, text: string): void {
    const hash = createHash('sha256').update(text).digest('base64')
    const before = this.#files.get(path)
    if (before?.hash === hash) {
      this.#files.set(path, { ...before, stamp })
      return
    }
    const { objects, ...problems } = readManifest(text, path.endsWith('.json') ? 'json' : 'yaml')
    this.#files.set(path, { stamp, hash, ...problems })
    this.#claims.set(path, this.#withKept(path, objects, problems.faults))
  }

  /**
   * While any part of a file is bad, the objects that it gave and no longer gives may be that part:
   * they stay.
   */
  #withKept(path: string, objects: Manifest['objects'], faults: Manifest['faults']) {
    if (faults.length === 0) return objects
    const now = new Set(objects.map(({ id }) => id))
    return [...objects, ...[...this.#claims.of(path).values()].filter(({ id }) => !now.has(id))]
  }

  /**
   * Files that are gone give nothing more; those below what could not be read may still be there.
   */
  #forgetMissing({ files, unreadable }: Look): void {
    const present = new Set(files.map(({ path }) => path))
    for (const path of this.#files.keys()) {
      if (present.has(path) || isBelow(path, unreadable)) continue
      this.#files.delete(path)
      this.#claims.set(path, [])
    }
  }
}

function isManifest(name: string): boolean {
  return /\.(ya?ml|json)$/.test(name)
}

function isBelow(path: string, unreadable: ReadonlyMap<string, string>): boolean {
  for (const above of unreadable.keys()) {
    if (above === '' || path === above || path.startsWith(`${above}/`)) return true
  }
  return false
}
