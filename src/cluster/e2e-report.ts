// What the runner's JSON reports say, and the outcomes kept of it: one file for all chunks of a
// run, so that an interrupted run goes on where it was. Pure but for reading and writing that file.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

/** A spec of the report; only what is read here. */
export interface SpecReport {
  readonly ContainerHierarchyTexts: readonly string[] | null
  readonly LeafNodeType: string
  readonly LeafNodeText: string
  readonly State: string
  /** Nanoseconds. */
  readonly RunTime?: number
  readonly Failure?: { readonly Message?: string }
}

export interface Outcome {
  readonly state: 'passed' | 'failed' | 'skipped'
  readonly seconds: number
  /** Of a failure, or why the test skipped itself. */
  readonly message?: string
  /** Runs that it took, in all runs of the command on these reports. */
  readonly attempts: number
}

/** By the test's full name. */
export type Outcomes = Readonly<Record<string, Outcome>>

/** The specs of a report that are tests, set-up and clean-up left out. */
export function testsOf(report: string): SpecReport[] {
  const suites = JSON.parse(report) as { readonly SpecReports?: readonly SpecReport[] | null }[]
  return suites
    .flatMap(({ SpecReports }) => SpecReports ?? [])
    .filter(({ LeafNodeType }) => LeafNodeType === 'It')
}

/** As the runner matches it. */
export function fullName({ ContainerHierarchyTexts, LeafNodeText }: SpecReport): string {
  return [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(' ')
}

/** Outcomes of the wanted tests: the report also lists every test that was not selected. */
export function outcomesOf(report: string, wanted: ReadonlySet<string>, before: Outcomes) {
  const outcomes: Record<string, Outcome> = {}
  for (const test of testsOf(report)) {
    const name = fullName(test)
    if (!wanted.has(name)) continue
    const message = firstLine(test.Failure?.Message)
    outcomes[name] = {
      state: stateOf(test.State),
      seconds: Math.round((test.RunTime ?? 0) / 1e8) / 10,
      ...(message ? { message } : {}),
      attempts: (before[name]?.attempts ?? 0) + 1,
    }
  }
  return outcomes
}

/** Timed out, interrupted, panicked and aborted are failures by other names. */
function stateOf(state: string): Outcome['state'] {
  if (state === 'passed') return 'passed'
  return state === 'skipped' || state === 'pending' ? 'skipped' : 'failed'
}

/** Names of namespaces and pods, which differ from run to run, lose their ends. */
function firstLine(message = ''): string {
  const line = message.split('\n').find((each) => each.trim()) ?? ''
  return line
    .replace(/-[0-9]{2,5}\b|-[a-z0-9]{5}\b(?=["/ ])/g, '-*')
    .replace(/:$/, '')
    .trim()
}

export function readOutcomes(path: string): Outcomes {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Outcomes) : {}
}

export function writeOutcomes(path: string, outcomes: Outcomes): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(outcomes, null, 1)}\n`)
  renameSync(`${path}.new`, path)
}
