// Runs node:test files, each in a process of its own: one line a file, failures in full with what
// the file printed, skipped tests by name, so that no gap hides.
import { relative, resolve } from 'node:path'
import type { EventData } from 'node:test'
import { run } from 'node:test'
import { inspect } from 'node:util'
import { NOTHING, type Outcome, resultLine, sum } from './outcome.ts'
import type { FileSuite } from './suites.ts'

/** The longest a file may take; a hanging test must not hold up a run for ever. */
const UNIT_TIMEOUT_MS = 120_000
const ROOT_TIMEOUT_MS = 900_000

/** Two at a time without root; alone with it, for the kernel's tables are shared. */
export async function runFiles({ files, root, timeoutMs }: FileSuite): Promise<Outcome> {
  if (files.length === 0) return NOTHING
  if (root && process.getuid?.() !== 0) {
    for (const file of files) console.log(`skip ${file}: needs root`)
    return { ...NOTHING, skipped: files.length }
  }
  const outcomes: Outcome[] = []
  const longest = timeoutMs ?? (root ? ROOT_TIMEOUT_MS : UNIT_TIMEOUT_MS)
  for (const batch of root ? files.map((file) => [file]) : [files]) {
    outcomes.push(await runBatch(batch, root, longest))
  }
  return sum(outcomes)
}

/** What is known of a file while it runs. */
interface Progress {
  reported: boolean
  outcome: Outcome
  said: string
  readonly failures: string[]
  readonly skips: string[]
}

async function runBatch(
  files: readonly string[],
  root: boolean,
  timeout: number,
): Promise<Outcome> {
  const progress = new Map<string, Progress>()
  const of = (path: string | undefined): Progress => {
    // Tests that a support file declares for a test file count as the test file's, where it is
    // known.
    const file = relative(process.cwd(), (files.length > 1 ? path : undefined) ?? files[0] ?? '')
    const found = progress.get(file)
    if (found) return found
    const fresh = { reported: false, outcome: NOTHING, said: '', failures: [], skips: [] }
    progress.set(file, fresh)
    return fresh
  }
  const stream = run({
    files: [...files],
    concurrency: root ? 1 : 2,
    timeout,
  })
  stream.on('test:pass', (event) => note(of(event.file), event, 'passed'))
  stream.on('test:fail', (event) => note(of(event.file), event, 'failed'))
  stream.on('test:stdout', ({ file, message }) => {
    of(file).said += message
  })
  stream.on('test:stderr', ({ file, message }) => {
    of(file).said += message
  })
  stream.on('test:summary', ({ file, duration_ms: durationMs }) => {
    if (file !== undefined) report(relative(process.cwd(), file), of(file), durationMs)
  })
  for await (const _ of stream);
  // A file that never came to a test (it does not parse, it exits) has no summary of its own.
  for (const [file, each] of progress) if (!each.reported) report(file, each, 0)
  return sum([...progress.values()].map(({ outcome }) => outcome))
}

type Finished = EventData.TestPass | EventData.TestFail

function note(progress: Progress, event: Finished, result: 'passed' | 'failed'): void {
  const { name, details, line, skip, todo } = event
  const gap = skip ?? todo
  if (gap !== undefined && gap !== false) {
    progress.skips.push(`${name}${typeof gap === 'string' ? `: ${gap}` : ''}`)
    progress.outcome = sum([progress.outcome, { ...NOTHING, skipped: 1 }])
    return
  }
  const error = 'error' in details ? details.error : undefined
  if (!error && isWholeFile(event)) {
    progress.outcome = sum([progress.outcome, { ...NOTHING, failed: 1 }])
    progress.failures.push('the file has no tests')
    return
  }
  // A suite fails with its tests; counting both would count twice.
  if (details.type === 'suite' && (!error || isOfSubtests(error))) return
  if (error && isOfSubtests(error)) return
  progress.outcome = sum([progress.outcome, { ...NOTHING, [result]: 1 }])
  if (error) progress.failures.push(`${name} (line ${line})\n${describe(error)}`)
}

/** The error without the runner's own frames. */
function describe(error: Error): string {
  return inspect(error.cause ?? error)
    .split('\n')
    .filter((line) => !/^\s+at .*node:internal/.test(line))
    .join('\n')
}

/** The runner's own stand-in for a file in which no test ran. */
function isWholeFile({ name, nesting, file }: Finished): boolean {
  return nesting === 0 && file !== undefined && resolve(name) === file
}

function isOfSubtests(error: Error): boolean {
  return 'failureType' in error && error.failureType === 'subtestsFailed'
}

function report(file: string, progress: Progress, ms: number): void {
  const { outcome, failures, skips, said } = progress
  progress.reported = true
  console.log(resultLine(file, outcome, ms))
  for (const skip of skips) console.log(`     skipped: ${skip}`)
  for (const failure of failures) console.log(`\n${file} > ${failure}\n`)
  if (failures.length > 0 && said.trim() !== '') console.log(`What ${file} printed:\n${said}`)
}
