// One way to do something later: with 0 ms it is the next turn of the event loop, not a timer's 1
// ms.

/** Runs `action` once after `delayMs`; returns the way to cancel it. */
export function later(delayMs: number, action: () => void): () => void {
  if (delayMs <= 0) {
    const immediate = setImmediate(action)
    return () => clearImmediate(immediate)
  }
  const timer = setTimeout(action, delayMs)
  return () => clearTimeout(timer)
}
