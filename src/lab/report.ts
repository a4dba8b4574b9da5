// The suite's results as people read them: a row as each check ends, then what failed, then a
// count.
export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  /** What was seen; for a failure what was expected too. */
  readonly detail: string
  readonly ms: number
}

/** One row: mark, duration, name and detail. */
export function formatRow({ name, ok, detail, ms }: CheckResult): string {
  const took = `${Math.round(ms)} ms`.padStart(8)
  return `${ok ? 'ok  ' : 'FAIL'} ${took}  ${name.padEnd(66)} ${detail}`.trimEnd()
}

export function printRow(result: CheckResult): void {
  console.log(formatRow(result))
}

/** The end of a run: the failures again, and how many there were of how many. */
export function formatReport({ checks }: { readonly checks: readonly CheckResult[] }): string {
  const failed = checks.filter(({ ok }) => !ok)
  const seconds = (checks.reduce((sum, { ms }) => sum + ms, 0) / 1000).toFixed(1)
  const summary = `${checks.length} checks, ${failed.length} failed, ${seconds} s`
  if (failed.length === 0) return summary
  return [
    '',
    'Failed:',
    ...failed.map((row) => `  ${row.name}\n    ${row.detail}`),
    '',
    summary,
  ].join('\n')
}
