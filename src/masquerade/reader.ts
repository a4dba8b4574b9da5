// Keeps table masqueradeExclusions as the file says: looked at when its directory changes (a
// ConfigMap is swapped as a whole) and every resyncInterval. Bad content changes nothing.
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import type { Logger } from 'pino'
import type { Table } from '../state/table.ts'
import type { MasqueradeExclusion } from '../tables/desired.ts'
import { type MasqueradeFile, NO_FILE, parseMasqueradeFile } from './ip-masq-agent.ts'

export interface MasqueradeReaderOptions {
  /** Absent: nothing is excluded. */
  readonly path: string | undefined
  readonly exclusions: Table<MasqueradeExclusion>
  readonly log: Pick<Logger, 'info' | 'warn'>
}

/** Several events of one change are one look. */
const SETTLE_MS = 50

export class MasqueradeReader {
  readonly #options: MasqueradeReaderOptions
  #problem: string | undefined
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #resyncMs = NO_FILE.resyncMs

  constructor(options: MasqueradeReaderOptions) {
    this.#options = options
  }

  /** Why the file as it is now is not in force; undefined: it is. */
  get problem(): string | undefined {
    return this.#problem
  }

  start(): void {
    const { path, exclusions } = this.#options
    if (path === undefined) exclusions.markInitialized()
    else this.#look(path)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#watcher?.close()
  }

  #look(path: string): void {
    this.#watch(path)
    try {
      this.#take(read(path))
      if (this.#problem !== undefined) this.#options.log.info({ path }, 'Masquerade file is good')
      this.#problem = undefined
    } catch (error) {
      const problem = `Cannot use ${path} for masquerading: ${(error as Error).message}`
      if (this.#problem !== problem)
        this.#options.log.warn({ path, err: error }, 'Bad file is left')
      this.#problem = problem
    }
    this.#again(path, this.#resyncMs)
  }

  /**
   * Initialized by the first good file and not before: what the kernel holds from an earlier agent
   * stays in force as long.
   */
  #take({ exclusions, resyncMs }: MasqueradeFile): void {
    this.#resyncMs = resyncMs
    this.#options.exclusions.replaceAll(exclusions.map((prefix) => ({ prefix })))
    this.#options.exclusions.markInitialized()
  }

  #again(path: string, delayMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#look(path), delayMs)
    this.#timer.unref()
  }

  /** A directory that cannot be watched is looked at by the clock. */
  #watch(path: string): void {
    if (this.#watcher) return
    try {
      this.#watcher = watch(dirname(path), () => this.#again(path, SETTLE_MS))
      this.#watcher.on('error', () => {
        this.#watcher?.close()
        this.#watcher = undefined
      })
    } catch {
      this.#watcher = undefined
    }
  }
}

function read(path: string): MasqueradeFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NO_FILE
    throw error
  }
  return parseMasqueradeFile(text)
}
