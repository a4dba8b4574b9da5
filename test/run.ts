// node test/run.ts [SUITE...]: runs all suites, or those named, and prints the total as its last
// line. Exit 1 when anything failed; what a machine cannot run is counted as skipped, never as
// passed.
import { resolve } from 'node:path'
import { type Outcome, sum, totalLine } from './support/outcome.ts'
import { runCommand } from './support/run-command.ts'
import { runFiles } from './support/run-files.ts'
import { findSuites, type Suite } from './support/suites.ts'

async function main(names: readonly string[]): Promise<void> {
  const root = resolve(import.meta.dirname, '..')
  process.chdir(root)
  const suites = choose(findSuites(root), names)
  const outcomes: Outcome[] = []
  for (const suite of suites) {
    outcomes.push(suite.kind === 'command' ? await runCommand(suite) : await runFiles(suite))
  }
  const total = sum(outcomes)
  console.log(`\n${totalLine(total)}`)
  process.exitCode = total.failed > 0 ? 1 : 0
}

/** All without names. Throws on an unknown one. */
function choose(suites: readonly Suite[], names: readonly string[]): readonly Suite[] {
  const unknown = names.find((name) => !suites.some((suite) => suite.name === name))
  if (unknown !== undefined) {
    const known = suites.map(({ name }) => name).join(', ')
    throw new Error(`Cannot run suite "${unknown}": there are ${known}`)
  }
  return names.length === 0 ? suites : suites.filter(({ name }) => names.includes(name))
}

await main(process.argv.slice(2))
