// DELs that came while the agent was away: weir-cni leaves each as a file, and the agent carries
// it out when it starts or when the file appears. The file goes only after the kernel state has
// gone.
import {
  existsSync,
  type FSWatcher,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  watch,
} from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { asObject, asString } from './json.ts'
import type { CniCall } from './request.ts'

/** Older files without their final name are nobody's. */
const HALF_MS = 60_000

export interface QueueOptions {
  readonly stateDir: string
  readonly log: Logger
  /** Takes effect on the rows before it first awaits; a throw means the call itself is bad. */
  readonly carryOut: (call: CniCall) => Promise<void>
}

export class DelQueue {
  readonly #dir: string
  readonly #options: QueueOptions
  readonly #running = new Set<string>()
  #watcher: FSWatcher | undefined

  constructor(options: QueueOptions) {
    this.#options = options
    this.#dir = join(options.stateDir, 'cni-queue')
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
  }

  /** Watches first and looks then, so that no file falls between. */
  start(): void {
    this.#removeHalves()
    this.#watcher = watch(this.#dir, () => this.drain())
    this.#watcher.on('error', (err) => {
      this.#options.log.warn({ err, path: this.#dir }, 'queued DELs wait for the next ADD')
    })
    this.drain()
  }

  stop(): void {
    this.#watcher?.close()
  }

  /** Begins every DEL that lies there; when it returns, their rows are deleted. */
  drain(): void {
    if (!existsSync(this.#dir)) return
    for (const name of readdirSync(this.#dir).sort()) {
      if (!name.endsWith('.json') || this.#running.has(name)) continue
      this.#running.add(name)
      void this.#carryOut(name).finally(() => this.#running.delete(name))
    }
  }

  /**
   * What a weir-cni that was killed left; its DEL was never answered. A young one may be in the
   * making.
   */
  #removeHalves(): void {
    for (const name of readdirSync(this.#dir)) {
      const path = join(this.#dir, name)
      if (!name.endsWith('.tmp') || Date.now() - statSync(path).mtimeMs < HALF_MS) continue
      rmSync(path, { force: true })
    }
  }

  async #carryOut(name: string): Promise<void> {
    const { log, carryOut } = this.#options
    const path = join(this.#dir, name)
    try {
      const call = parseQueued(readFileSync(path, 'utf8'))
      await carryOut(call)
      rmSync(path, { force: true })
      log.info({ containerId: call.env['CNI_CONTAINERID'] }, 'queued DEL carried out')
    } catch (err) {
      log.warn({ err, path }, 'queued DEL is unusable and was moved aside')
      if (existsSync(path)) renameSync(path, `${path}.bad`)
    }
  }
}

/** The file is {"env": {"CNI_...": "..."}, "stdin": "..."}. */
function parseQueued(text: string): CniCall {
  const file = asObject(JSON.parse(text))
  const variables = asObject(file?.['env'])
  if (!variables || typeof file?.['stdin'] !== 'string')
    throw new Error('it holds no env and stdin')
  const env = Object.entries(variables).map(([name, value]) => [name, asString(value)])
  return { env: Object.fromEntries(env), stdin: file['stdin'] }
}
