// List and watch of one kind, for ever: it ends when it is told to and never by itself. Whatever
// cannot be understood leads to a new list, whatever is lost to a new watch from where it stood;
// rows are taken away only by a DELETED event or by a list that is complete.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { backoffMs } from '../../state/backoff.ts'
import { type ClusterLook, compareVersions } from './cluster.ts'
import type { Answer, Connection } from './connection.ts'
import { Counts } from './counts.ts'
import { eventDecoder, listDecoder, type WatchEvent } from './decoder.ts'
import { GarbledError, isNotFound, ResponseError, SilentError } from './errors.ts'
import { Manner, NOT_UNDERSTOOD, NoWatchListError } from './manner.ts'
import type { Resource } from './resources.ts'
import { identify, type KindRows } from './rows.ts'
import type { Timings } from './timings.ts'
import { Turn } from './turn.ts'

export interface ListWatchOptions {
  readonly resource: Resource
  readonly connection: Connection
  readonly cluster: ClusterLook
  readonly rows: KindRows
  readonly timings: Timings
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly signal: AbortSignal
}

const PAGE_SIZE = 500
const INITIAL_END = 'k8s.io/initial-events-end'
/** Kinds that begin to list so close together share one look at the cluster. */
const SAME_TIME_MS = 1000
/** A wait that a server asks for is kept up to this. */
const MAX_RETRY_AFTER_MS = 120_000
/** `early`: a watch that ended before its time, as when a server stops. */
type Ending = 'listed' | 'early' | 'in time'

interface Round {
  readonly startedAt: number
  /** It began without knowing where the rows stand. */
  readonly isList: boolean
}

export class ListWatch {
  readonly #options: ListWatchOptions
  /** Where the rows stand; undefined: only a new list tells. */
  #resourceVersion: string | undefined
  readonly #manner: Manner
  /** The next watch is the first after its list. */
  #justListed = false
  /** Of the cluster that the rows are from; undefined: not known. */
  #clusterUid: string | undefined
  #attempt = 0
  readonly #turn = new Turn()
  readonly counts: Counts

  constructor(options: ListWatchOptions) {
    const { kind, isCustom } = options.resource
    this.#options = options
    this.counts = new Counts(kind.kind, options.log)
    this.#manner = new Manner(kind.kind, options.log, isCustom ? 'json' : 'protobuf')
  }

  /** Resolves once the signal is given. Never rejects, short of a fault of the program. */
  async run(): Promise<void> {
    const { signal } = this.#options
    while (!signal.aborted) {
      const round = { startedAt: performance.now(), isList: this.#resourceVersion === undefined }
      let delayMs = 0
      try {
        delayMs = this.#endedWell(round, await this.#round())
      } catch (error) {
        if (signal.aborted) return
        delayMs = this.#endedBadly(round, error as Error)
      }
      if (delayMs > 0) await sleep(delayMs, undefined, { signal }).catch(() => {})
    }
  }

  /** One list, or one watch from its beginning to its end. */
  async #round(): Promise<Ending> {
    if (this.#resourceVersion !== undefined) {
      if (!this.#justListed) this.counts.reconnects++
      this.#justListed = false
      return this.#watch('resume')
    }
    if (this.counts.synced && this.counts.installed) this.counts.relists++
    const { cluster, signal } = this.#options
    this.#clusterUid = (await cluster.state(performance.now() - SAME_TIME_MS, signal)).uid
    if (!this.#manner.inPages) return this.#watch('list')
    await this.#listPages()
    this.#justListed = true
    return 'listed'
  }

  /**
   * Asked once a watch is resumed: has the cluster become another, or older than what is known of
   * it? A server that is replaced after that loses the watch too.
   */
  async #isReplaced(): Promise<boolean> {
    const { cluster, signal, log, resource } = this.#options
    const { uid, resourceVersion } = await cluster.state(performance.now(), signal)
    const isOther = this.#clusterUid !== undefined && uid !== undefined && uid !== this.#clusterUid
    const isOlder = compareVersions(resourceVersion, this.#resourceVersion ?? '') < 0
    if (!isOther && !isOlder) return false
    log.warn({ kind: resource.kind.kind, isOther, isOlder }, 'The API server was replaced')
    this.#resourceVersion = undefined
    return true
  }

  async #listPages(): Promise<void> {
    const { resource, rows } = this.#options
    rows.beginList()
    let first: string | undefined
    let token = ''
    do {
      const query = { limit: String(PAGE_SIZE), ...(token === '' ? {} : { continue: token }) }
      const answer = await this.#get('list', query)
      const decoder = listDecoder(answer.encoding, resource.kind.kind)
      for await (const chunk of answer.body) {
        this.counts.heard()
        for (const item of decoder.push(chunk)) {
          rows.put(identify(resource.kind.kind, item).key, item)
          if (this.#turn.isOver) await this.#turn.next()
        }
      }
      const { resourceVersion, continueToken } = decoder.end()
      if (continueToken !== '' && continueToken === token) {
        throw new GarbledError('a page that is followed by itself')
      }
      first ??= resourceVersion
      token = continueToken
    } while (token !== '')
    this.#listed(first)
  }

  #listed(resourceVersion: string | undefined): void {
    this.#options.rows.endList()
    this.#resourceVersion = resourceVersion
    this.#manner.understood()
    this.counts.installed = true
    this.counts.synced = true
    this.counts.isWell()
  }

  async #watch(begin: 'list' | 'resume'): Promise<Ending> {
    const { rows, timings } = this.#options
    const [low, high] = timings.watchSeconds
    const seconds = Math.round(low + (high - low) * Math.random())
    const answer = await this.#get('watch', {
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(seconds),
      ...(begin === 'list'
        ? { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }
        : { resourceVersion: this.#resourceVersion ?? '' }),
    })
    try {
      if (begin === 'list') rows.beginList()
      else if (await this.#isReplaced()) return 'early'
      else this.counts.isWell()
      const startedAt = performance.now()
      await this.#readEvents(answer)
      const livedMs = performance.now() - startedAt
      return livedMs < timings.settledMs || livedMs < (seconds - 1) * 1000 ? 'early' : 'in time'
    } finally {
      answer.close()
    }
  }

  async #readEvents(answer: Answer): Promise<void> {
    const { resource, timings } = this.#options
    const decoder = eventDecoder(answer.encoding, resource.kind.kind)
    try {
      for await (const chunk of answer.body) {
        this.counts.heard()
        for (const event of decoder.push(chunk)) {
          this.#handle(event)
          // The list is complete: a quiet kind may be silent from one bookmark to the next.
          if (event.type === 'BOOKMARK') answer.allowSilence(timings.silenceMs)
          if (this.#turn.isOver) await this.#turn.next()
        }
      }
    } catch (error) {
      const isListing = this.#resourceVersion === undefined
      if (isListing && error instanceof SilentError) throw new NoWatchListError()
      throw error
    }
    // A server that ends before the list is complete has told nothing.
    if (this.#resourceVersion === undefined) throw new Error('the first events were not complete')
  }

  #handle({ type, object }: WatchEvent): void {
    const { rows, resource } = this.#options
    const { kind } = resource.kind
    if (type === 'ERROR') {
      const isListing = this.#resourceVersion === undefined
      const error = this.#errorOf(object)
      // Servers on an etcd before 3.4.25 take the request, and say only here that they cannot.
      throw isListing && error.status === 500 ? new NoWatchListError(error.message) : error
    }
    if (type === 'BOOKMARK') {
      this.#handleBookmark(object)
      return
    }
    const { key, resourceVersion } = identify(kind, object)
    if (this.#resourceVersion !== undefined) {
      // Events come in order. One that is older than what is known would bring back the past.
      if (compareVersions(resourceVersion, this.#resourceVersion) < 0) {
        throw new GarbledError(`${kind} ${key} ${resourceVersion} after ${this.#resourceVersion}`)
      }
      this.#resourceVersion = resourceVersion
    }
    if (type === 'DELETED') rows.remove(key)
    else rows.put(key, object)
    this.counts.eventAt = performance.now()
  }

  #handleBookmark(object: unknown): void {
    const { metadata } = (object ?? {}) as { metadata?: Record<string, unknown> }
    const { resourceVersion, annotations } = metadata ?? {}
    if (typeof resourceVersion !== 'string' || resourceVersion === '') {
      throw new GarbledError('a bookmark without resourceVersion')
    }
    if (this.#resourceVersion === undefined) {
      const isEnd = (annotations as Record<string, unknown> | undefined)?.[INITIAL_END] === 'true'
      // Before that one there are no others, where the server knows what it was asked for.
      if (!isEnd) throw new NoWatchListError()
      this.#listed(resourceVersion)
      return
    }
    if (compareVersions(resourceVersion, this.#resourceVersion) < 0) {
      throw new GarbledError(`a bookmark ${resourceVersion} after ${this.#resourceVersion}`)
    }
    this.#resourceVersion = resourceVersion
  }

  /** An ERROR event: the watch cannot go on from where it stood. */
  #errorOf(object: unknown): ResponseError {
    const { code, message } = (object ?? {}) as { code?: unknown; message?: unknown }
    this.#resourceVersion = undefined
    const status = typeof code === 'number' ? code : 0
    return new ResponseError(`watch ${this.#options.resource.plural}`, status, String(message))
  }

  #get(verb: 'list' | 'watch', query: Readonly<Record<string, string>>): Promise<Answer> {
    const { resource, connection, timings, signal } = this.#options
    const { path, plural, labelSelector } = resource
    const isListing = verb === 'list' || this.#resourceVersion === undefined
    return connection.get({
      what: `${verb} ${plural}`,
      path,
      query: { ...query, ...(labelSelector === undefined ? {} : { labelSelector }) },
      encoding: this.#manner.encoding,
      isWatch: verb === 'watch',
      // Nobody is silent in the middle of a list.
      silenceMs: isListing ? timings.answerMs : timings.silenceMs,
      signal,
    })
  }

  /** Ms to wait before the next round. */
  #endedWell(round: Round, ending: Ending): number {
    return ending === 'early' ? this.#backOff(round) : 0
  }

  /** Ms to wait before the next round. */
  #endedBadly(round: Round, error: Error): number {
    if (error instanceof GarbledError) {
      this.counts.garbled++
      this.#resourceVersion = undefined
    }
    if (this.#options.resource.mayBeAbsent && isNotFound(error)) return this.#notInstalled()
    if (this.#manner.learn(error, round)) return 0
    let askedMs = 0
    if (error instanceof ResponseError) {
      const { status, isGone } = error
      // A version that the server does not understand is of no use either.
      if (isGone || NOT_UNDERSTOOD.includes(status)) this.#resourceVersion = undefined
      if (status === 401) this.#options.connection.forgetCredentials()
      askedMs = Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
    }
    this.counts.failed(error)
    return askedMs + this.#backOff(round)
  }

  /** There are no objects of a kind that does not exist. Answers when to look for it again. */
  #notInstalled(): number {
    this.#options.rows.beginList()
    this.#listed(undefined)
    this.counts.installed = false
    this.counts.heard()
    return this.#options.timings.absentMs
  }

  #backOff({ startedAt }: Round): number {
    const { backoff, settledMs } = this.#options.timings
    if (performance.now() - startedAt >= settledMs) this.#attempt = 0
    return backoffMs(this.#attempt++, backoff)
  }
}
