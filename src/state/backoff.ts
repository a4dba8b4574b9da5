// How long to wait before the n-th retry: exponential, capped, with jitter.

/**
 * Delay in ms before retry `attempt` (0 is the first): base * 2^attempt up to max, half of it
 * random.
 */
export function backoffMs(
  attempt: number,
  { baseMs = 100, maxMs = 60_000, random = Math.random } = {},
): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30))
  return full / 2 + (full / 2) * random()
}
