// `weir policy what-if -f policy.yaml`: compiles the agent's rows with the proposal made so, here
// in the CLI, and judges what connected or tried to on this node by what is in force and by what
// would be.
import { type Command, InvalidArgumentError } from 'commander'
import { PolicyJudge } from '../control/policy-judge.ts'
import type { Address } from '../net/address.ts'
import { protocolName } from '../net/protocol.ts'
import type { Tables } from '../tables/tables.ts'
import { openKernel } from './kernel.ts'
import { formatAge, print, printJson, printTable } from './output.ts'
import { compile, copyInputs, readGround } from './policy-ground.ts'
import { formatEnd, namesOf } from './policy-names.ts'
import { type Proposal, propose } from './policy-proposal.ts'
import { describeSeen, type SeenConnection, seenConnections } from './policy-seen.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

interface WhatIfOptions extends TargetOptions, Proposal {
  readonly last: number
}

export interface Difference extends SeenConnection {
  readonly becomes: 'denied' | 'allowed'
  /** The rule that would say so; absent: nothing would isolate either end. */
  readonly rule?: string
}

const TEN_MINUTES = 600

export function addWhatIfCommand(policy: Command): void {
  const whatIf = policy
    .command('what-if')
    .description('which connections of this node, live or of the last minutes, would change')
    .option('-f, --filename <path...>', 'policies that are added, or replace those named so')
    .option('--delete <name...>', 'policies that go: namespace/name, or name of a cluster policy')
    .option('--last <time>', 'how far to look back (10m)', parseTime, TEN_MINUTES)
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<WhatIfOptions>()
      const answer = await readAnswer(options)
      for (const note of answer.notes) process.stderr.write(`${note}\n`)
      if (options.json) printJson(answer.differences)
      else printAnswer(answer, options)
    })
  addTargetOptions(whatIf)
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

/** Seconds of "90s", "10m", "2h". */
export function parseTime(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? []
  const seconds = Number(digits) * (SECONDS[unit] ?? Number.NaN)
  if (seconds > 0) return seconds
  throw new InvalidArgumentError('not a time like 90s, 10m or 2h.')
}

interface Answer {
  readonly differences: readonly Difference[]
  readonly judged: number
  /** What of the proposal is not understood. */
  readonly notes: readonly string[]
  readonly names: ReadonlyMap<Address, string>
}

async function readAnswer(options: WhatIfOptions): Promise<Answer> {
  const { socket } = await findTarget(options)
  const ground = await readGround(socket)
  const [before, after] = [ground.tables, copyInputs(ground.tables)]
  const notes = propose(after, options)
  const { inspect, inspected } = await openKernel(options)
  const [flows, recent] = [inspect.listFlows(inspected), inspect.listRecent(inspected)]
  const seen = seenConnections(flows, recent, options.last)
  for (const tables of [before, after]) compile(tables, ground)
  const differences = differencesOf([before, after], ground.own, seen)
  return { differences, judged: seen.length, notes, names: namesOf(before) }
}

/** What is allowed before and denied after, or the other way round. */
export function differencesOf(
  [before, after]: readonly [Tables, Tables],
  own: readonly Address[],
  seen: readonly SeenConnection[],
): Difference[] {
  const [now, then] = [new PolicyJudge(before, own), new PolicyJudge(after, own)]
  return seen.flatMap((connection): Difference[] => {
    const { allowed, rule } = then.judge(connection)
    if (now.judge(connection).allowed === allowed) return []
    const becomes = allowed ? 'allowed' : 'denied'
    return [{ ...connection, becomes, ...(rule === undefined ? {} : { rule }) }]
  })
}

function printAnswer({ differences, judged, names }: Answer, { last }: WhatIfOptions): void {
  const of = `live, or of the last ${formatAge(last)}`
  print(`${judged} connections judged (${of}), ${differences.length} would change`)
  if (differences.length === 0) return
  printTable(
    ['BECOMES', 'PROTOCOL', 'FROM', 'TO', 'SEEN', 'BY'],
    differences.map((difference) => {
      const { becomes, protocol, source, destination, port, rule } = difference
      return [
        ...[becomes, protocolName(protocol), formatEnd(names, source)],
        ...[formatEnd(names, destination, port), describeSeen(difference)],
        rule ?? 'nothing isolates it',
      ]
    }),
  )
}
