// How long the loop waits for what. All of it is measured by the monotonic clock, so that a jump of
// the wall clock changes nothing.

export interface Timings {
  /** Until a connection stands, ms. */
  readonly connectMs: number
  /** Until the answer begins, ms. */
  readonly answerMs: number
  /**
   * Without a byte on a watch, ms. A server sends a bookmark about every minute; longer silence
   * means that nobody is there.
   */
  readonly silenceMs: number
  /** The watch is asked to end after so many seconds: between the two, at random. */
  readonly watchSeconds: readonly [low: number, high: number]
  /** A watch that lived so long is well: the next failure is the first again. */
  readonly settledMs: number
  readonly backoff: { readonly baseMs: number; readonly maxMs: number }
  /** Credentials and the kubeconfig are read again when what is known is older, ms. */
  readonly rereadMs: number
  /** A kind that is not installed is looked for again after so long, ms. */
  readonly absentMs: number
  /** Between looks at what is to be told as Events, ms. */
  readonly tellMs: number
}

export const TIMINGS: Timings = {
  connectMs: 5_000,
  answerMs: 30_000,
  silenceMs: 120_000,
  watchSeconds: [300, 600],
  settledMs: 2_000,
  backoff: { baseMs: 500, maxMs: 30_000 },
  rereadMs: 10_000,
  absentMs: 60_000,
  tellMs: 30_000,
}
