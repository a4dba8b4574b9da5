// Kubernetes' own tests (e2e.test of the cluster's version) against the running cluster, in chunks
// whose outcomes are kept as they come: a run that was cut off goes on with --resume.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { projectRoot } from '../lab/paths.ts'
import { exitOf } from '../lab/place.ts'
import { run, runAnyway } from '../lab/run.ts'
import { buildTests } from './build.ts'
import { provideTestImages } from './e2e-images.ts'
import { junitReport } from './e2e-junit.ts'
import {
  type Chunk,
  chunksOf,
  focusOf,
  type Plan,
  parseDryRun,
  parseSkips,
  planRun,
  remaining,
} from './e2e-plan.ts'
import { type Outcomes, outcomesOf, readOutcomes, writeOutcomes } from './e2e-report.ts'
import { conformanceTable } from './e2e-table.ts'
import { balanceLoad } from './load-balancers.ts'
import { cacheDirectory, clusterPaths, KUBERNETES_VERSION } from './paths.ts'
import { type ClusterRecord, readRecord } from './record.ts'

export interface E2eOptions {
  /** A regular expression over the tests' names; all of [sig-network] without it. */
  readonly focus?: string
  /** Tests at a time. */
  readonly processes: number
  /** Directory of the reports: junit.xml, outcomes.json, and the runner's own by chunk. */
  readonly reports: string
  /** Leave out what passed in these reports. */
  readonly resume: boolean
  /** Path of the table of all outcomes so far; none is written without it. */
  readonly table?: string
  readonly say: (line: string) => void
}

const CHUNK = 12
const SKIPS = 'src/cluster/e2e-skips.yaml'

/** 0 when nothing that ran has failed. */
export async function e2e(options: E2eOptions): Promise<number> {
  const { reports, say } = options
  const record = readRecord(clusterPaths().record)
  const bin = await buildTests(cacheDirectory(), say)
  await provideTestImages(record, bin, say)
  if (!options.resume) rmSync(reports, { recursive: true, force: true })
  mkdirSync(reports, { recursive: true })
  const store = join(reports, 'outcomes.json')
  const plan = await planTests(bin, reports)
  const focus = new RegExp(options.focus ?? '')
  const chosen = plan.run.filter(({ name }) => focus.test(name))
  const left = options.resume ? remaining(chosen, readOutcomes(store)) : chosen
  if (chosen.length === 0) throw new Error(`Cannot run tests: none matches ${focus.source}`)
  say(`${left.length} of ${plan.run.length} tests; ${plan.skipped.length} cannot run here`)
  const stop = new AbortController()
  const balancing = balanceLoad(record, stop.signal)
  try {
    for (const chunk of chunksOf(left, CHUNK)) {
      await runChunk({ chunk, record, bin, reports, processes: options.processes, store, say })
    }
  } finally {
    stop.abort()
    await balancing
  }
  const outcomes = readOutcomes(store)
  writeFileSync(join(reports, 'junit.xml'), junitReport(plan, outcomes))
  if (options.table) writeFileSync(options.table, await describe(plan, outcomes))
  return summarize(
    chosen.map(({ name }) => name),
    outcomes,
    say,
  )
}

/** What there is to run, from a dry run of the tests themselves. */
async function planTests(bin: string, reports: string): Promise<Plan> {
  const report = join(reports, 'dry-run.json')
  const flags = ['--ginkgo.dry-run', `--ginkgo.json-report=${report}`]
  await run('list the tests', join(bin, 'e2e.test'), [...flags, '--provider=skeleton'])
  const specs = parseDryRun(readFileSync(report, 'utf8'))
  rmSync(report)
  return planRun(specs, parseSkips(readFileSync(join(projectRoot(), SKIPS), 'utf8')))
}

interface ChunkRun {
  readonly chunk: Chunk
  readonly record: ClusterRecord
  readonly bin: string
  readonly reports: string
  readonly processes: number
  readonly store: string
  readonly say: (line: string) => void
}

/** Runs the tests of a chunk with this terminal, and keeps their outcomes. */
async function runChunk({ chunk, record, bin, reports, processes, store, say }: ChunkRun) {
  const { name, specs } = chunk
  const report = join(reports, `${name}.json`)
  const runner = ['run', `--procs=${processes}`, '--no-color', '--silence-skips', '--timeout=40m']
  const suite = [
    ...[`--kubeconfig=${clusterPaths().kubeconfig}`, `--kubectl-path=${join(bin, 'kubectl')}`],
    ...['--provider=skeleton', `--num-nodes=${record.nodes.length}`],
    `--report-dir=${join(reports, name)}`,
  ]
  const selection = [`--focus=${focusOf(specs)}`, `--json-report=${name}.json`]
  const args = [...runner, ...selection, `--output-dir=${reports}`, join(bin, 'e2e.test')]
  say(`\n== ${name}: ${specs.length} tests`)
  rmSync(report, { force: true })
  await exitOf(spawn(join(bin, 'ginkgo'), [...args, '--', ...suite], { stdio: 'inherit' }))
  if (!existsSync(report)) {
    say(`${name} ended without a report: its tests count as not run`)
    return
  }
  const before = readOutcomes(store)
  const wanted = new Set(specs.map((spec) => spec.name))
  writeOutcomes(store, { ...before, ...outcomesOf(readFileSync(report, 'utf8'), wanted, before) })
  rmSync(report)
}

function summarize(names: readonly string[], outcomes: Outcomes, say: (line: string) => void) {
  const failed = names.filter((name) => outcomes[name]?.state === 'failed')
  const count = (state: string) => names.filter((name) => outcomes[name]?.state === state).length
  say(
    `\n${count('passed')} passed, ${failed.length} failed, ${count('skipped')} skipped themselves`,
  )
  for (const name of failed) say(`failed: ${name}: ${outcomes[name]?.message ?? ''}`)
  return failed.length > 0 ? 1 : 0
}

async function describe(plan: Plan, outcomes: Outcomes): Promise<string> {
  const git = ['-C', projectRoot(), 'log', '-1', '--format=%h of %cs']
  const { code, stdout } = await runAnyway('git', git)
  const weir = code === 0 ? stdout.trim() : 'an unknown commit'
  const [linux] = release().split('-')
  const environment = `Weir ${weir}, Kubernetes ${KUBERNETES_VERSION}, Linux ${linux}`
  return conformanceTable(plan, outcomes, environment)
}
