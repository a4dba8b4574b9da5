// Ctrl-C and SIGTERM as an AbortSignal, so that a command that has built something takes it down
// again.

/**
 * Runs work that ends early, by a throw, once the process is asked to stop; a second time kills.
 */
export async function interruptible<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController()
  const stop = (signal: NodeJS.Signals): void => {
    controller.abort(new Error(`Cannot go on: stopped by ${signal}; cleaning up`))
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.once(signal, stop)
  try {
    return await work(controller.signal)
  } finally {
    for (const signal of signals) process.off(signal, stop)
  }
}
