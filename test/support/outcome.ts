// What running something came to: counts that add up, and what to print about it.

export interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export const NOTHING: Outcome = { passed: 0, failed: 0, skipped: 0 }

export function sum(outcomes: readonly Outcome[]): Outcome {
  return outcomes.reduce(
    (all, each) => ({
      passed: all.passed + each.passed,
      failed: all.failed + each.failed,
      skipped: all.skipped + each.skipped,
    }),
    NOTHING,
  )
}

/** The last line of a run: "12 passed, 0 failed", and what was skipped if anything was. */
export function totalLine({ passed, failed, skipped }: Outcome): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** One short line: mark, what, how it went, how long. */
export function resultLine(name: string, outcome: Outcome, durationMs: number): string {
  const mark = outcome.failed > 0 ? 'FAIL' : 'ok  '
  const seconds = `${(durationMs / 1000).toFixed(1)} s`
  return `${mark} ${name.padEnd(52)} ${totalLine(outcome).padEnd(24)} ${seconds.padStart(8)}`
}
