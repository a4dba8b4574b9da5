// How an API server wants to be asked about one kind, learnt from what it refuses: protobuf or
// JSON, lists streamed or in pages.
import type { Logger } from 'pino'
import type { Encoding } from './decoder.ts'
import { GarbledError, ResponseError } from './errors.ts'

/** A server that knows no WatchList says one of these. */
export const NOT_UNDERSTOOD: readonly number[] = [400, 405, 422]
const NO_PROTOBUF = [406, 415]
/** So many garbled answers in a row, and JSON is tried instead of protobuf. */
const GARBLED_TOO_OFTEN = 3

/** The server sends no end of the first events: it does not know that it was asked for one. */
export class NoWatchListError extends Error {
  constructor(reason = 'it does not end its first events') {
    super(reason)
  }
}

export class Manner {
  readonly #kind: string
  readonly #log: Pick<Logger, 'info'>
  #encoding: Encoding
  #inPages = false
  #garbledInARow = 0

  constructor(kind: string, log: Pick<Logger, 'info'>, encoding: Encoding = 'protobuf') {
    this.#kind = kind
    this.#log = log
    this.#encoding = encoding
  }

  get encoding(): Encoding {
    return this.#encoding
  }

  /** Lists are asked for in pages and not as the beginning of a watch. */
  get inPages(): boolean {
    return this.#inPages
  }

  /** A list was understood from beginning to end. */
  understood(): void {
    this.#garbledInARow = 0
  }

  /** True when the server may be asked again at once, in another manner. */
  learn(error: Error, { isList }: { isList: boolean }): boolean {
    if (error instanceof GarbledError) {
      if (++this.#garbledInARow >= GARBLED_TOO_OFTEN) this.#useJson(error.message)
      return false
    }
    if (error instanceof NoWatchListError) return this.#usePages(error.message)
    if (!(error instanceof ResponseError)) return false
    if (NO_PROTOBUF.includes(error.status)) return this.#useJson(error.message)
    return isList && NOT_UNDERSTOOD.includes(error.status) && this.#usePages(error.message)
  }

  #usePages(reason: string): boolean {
    if (this.#inPages) return false
    this.#inPages = true
    this.#log.info({ kind: this.#kind, reason }, 'The API server does not stream lists')
    return true
  }

  #useJson(reason: string): boolean {
    if (this.#encoding === 'json') return false
    this.#encoding = 'json'
    this.#log.info({ kind: this.#kind, reason }, 'Falling back to JSON')
    return true
  }
}
