// Conditions told as Events of the API server. Few: a condition has to stand for a whole look, has
// one Event for as long as the server keeps it, whoever of all the agents tells it first, and a
// look tells no more than some. Quiet: nothing here waits for it, and what cannot be told is tried
// again at the next look.
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Condition } from '../conditions.ts'
import type { Connection } from './connection.ts'
import { ResponseError } from './errors.ts'
import type { Timings } from './timings.ts'

export interface EventsOptions {
  readonly connection: Connection
  readonly nodeName: string
  /** What stands now, the most important first. */
  readonly conditions: () => readonly Condition[]
  readonly timings: Timings
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly signal: AbortSignal
}

/** An API server keeps Events for an hour: what still stands is told again then. */
const REPEAT_MS = 3_600_000
const MAX_PER_LOOK = 10
/** A full map fails thousands of Services; weir status and metrics count them all. */
const MAX_PER_REASON = 20
const MAX_NOTE_BYTES = 1024
const MAX_INSTANCE = 128
const CONFLICT = 409
/** These will not take it later either, unlike 401, 408 and 429. */
const REFUSALS = [400, 403, 404, 405, 413, 422]

export class Events {
  readonly #options: EventsOptions
  /** Names of Events, and when the server had them. */
  readonly #told = new Map<string, number>()
  #stood: ReadonlySet<string> = new Set()
  #fails = false

  constructor(options: EventsOptions) {
    this.#options = options
  }

  /** Resolves once the signal is given. Never rejects, short of a fault of the program. */
  async run(): Promise<void> {
    const { signal, timings } = this.#options
    while (!signal.aborted) {
      await sleep(timings.tellMs, undefined, { signal }).catch(() => {})
      if (!signal.aborted) await this.#look()
    }
  }

  async #look(): Promise<void> {
    const few = choose(this.#options.conditions())
    const conditions = new Map(few.map((each) => [eventName(each), each]))
    const now = performance.now()
    for (const [name, at] of this.#told) if (now - at >= REPEAT_MS) this.#told.delete(name)
    const due = [...conditions].filter(([name]) => this.#stood.has(name) && !this.#told.has(name))
    this.#stood = new Set(conditions.keys())
    for (const [name, condition] of due.slice(0, MAX_PER_LOOK)) {
      if (!(await this.#tell(name, condition))) return
      this.#told.set(name, now)
    }
  }

  /** False when the server is away: the others would wait for nothing. */
  async #tell(name: string, condition: Condition): Promise<boolean> {
    const { connection, nodeName, signal } = this.#options
    const object = toEvent(name, condition, nodeName)
    const path = `/apis/events.k8s.io/v1/namespaces/${object.metadata.namespace}/events`
    try {
      await connection.create({ what: 'create events', path, object, signal })
      this.#noteSuccess()
      return true
    } catch (error) {
      const status = error instanceof ResponseError ? error.status : 0
      // Another agent has told it, or this one before it was started again.
      if (status === CONFLICT) this.#noteSuccess()
      else this.#noteFailure(error as Error)
      if (status === 401) connection.forgetCredentials()
      return status === CONFLICT || REFUSALS.includes(status)
    }
  }

  #noteSuccess(): void {
    if (this.#fails) this.#options.log.info({}, 'Events can be written again')
    this.#fails = false
  }

  #noteFailure(error: Error): void {
    const { log, signal } = this.#options
    if (!this.#fails && !signal.aborted) {
      log.warn({ err: error }, 'Cannot write events, weir status says the same')
    }
    this.#fails = true
  }
}

/** Of each reason the first by name, so that all agents choose the same. */
function choose(conditions: readonly Condition[]): Condition[] {
  const groups = Map.groupBy(conditions, ({ reason }) => reason)
  return [...groups.values()].flatMap((group) => {
    const byName = [...new Map(group.map((each) => [objectName(each), each]))]
    const sorted = byName.sort(([a], [b]) => (a < b ? -1 : 1))
    return sorted.slice(0, MAX_PER_REASON).map(([, condition]) => condition)
  })
}

function objectName({ about: { kind, namespace = '', name } }: Condition): string {
  return `${kind} ${namespace}/${name}`
}

/** The same on every node, so that a Service that none of them can serve has one Event. */
function eventName(condition: Condition): string {
  const { name, uid } = condition.about
  const identity = JSON.stringify([condition.reason, objectName(condition), uid])
  const digest = createHash('sha256').update(identity).digest('hex').slice(0, 16)
  return `${name.slice(0, 200).replace(/[-.]+$/, '')}.${digest}`
}

function toEvent(name: string, { reason, about, text }: Condition, nodeName: string) {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    // Of what is in no namespace it is told in this one.
    metadata: { name, namespace: about.namespace ?? 'default' },
    eventTime: new Date().toISOString().replace('Z', '000Z'),
    reportingController: 'weir.io/agent',
    reportingInstance: nodeName.slice(0, MAX_INSTANCE),
    action: 'Apply',
    type: 'Warning',
    reason,
    regarding: about,
    // kubectl describe does not show the instance.
    note: shorten(`${nodeName}: ${text}`),
  }
}

function shorten(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= MAX_NOTE_BYTES) return text
  // Half a character at the cut becomes a mark of three bytes.
  return `${bytes.subarray(0, MAX_NOTE_BYTES - 6).toString()}...`
}
