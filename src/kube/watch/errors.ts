// What can go wrong with an API server, as far as the loop has to tell it apart: answers that are
// errors, and bytes that make no sense. Everything else is a lost connection.

/** An answer that is no success, or an ERROR event in a watch. */
export class ResponseError extends Error {
  readonly status: number
  /** How long the server asks to wait, in ms. */
  readonly retryAfterMs: number | undefined

  constructor(what: string, status: number, message: string, retryAfterMs?: number) {
    super(`Cannot ${what}: ${status}${message === '' ? '' : ` ${message}`}`)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }

  /** The history that was asked for is gone: only a new list helps. */
  get isGone(): boolean {
    return this.status === 410
  }
}

/**
 * What a server says of a kind that nobody installed. Lists are asked for only after the same
 * server has told of its kube-system, so that no proxy's page is taken for it.
 */
export function isNotFound(error: Error): boolean {
  return error instanceof ResponseError && error.status === 404
}

/** What the server sent cannot be understood, so that nothing may be concluded from it. */
export class GarbledError extends Error {
  constructor(fault: string, options?: ErrorOptions) {
    super(`Cannot understand the API server: ${fault}`, options)
  }
}

/** The server said nothing for too long. */
export class SilentError extends Error {}
