// `weir policy what-if -f policy.yaml`: compiles the agent's rows with the manifest added, here in
// the CLI, and judges the live connections of this node, and those that are denied meanwhile, by
// what is in force and by what would be.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import type { AgentFacts } from '../api/facts.ts'
import { POLICY_BUDGET, POLICY_INPUTS, PolicyCompiler } from '../control/policy/compiler.ts'
import { type JudgedConnection, PolicyJudge } from '../control/policy-judge.ts'
import { readManifest } from '../kube/standalone/manifest.ts'
import { type Address, formatAddressPort } from '../net/address.ts'
import { protocolName } from '../net/protocol.ts'
import type { Entry, Table } from '../state/table.ts'
import type { DatapathEvent, FlowRecord } from '../tables/actual.ts'
import { createTables, type Tables } from '../tables/tables.ts'
import { readAgent, streamAgent } from './agent.ts'
import { openKernel } from './kernel.ts'
import { print, printJson, printTable } from './output.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

interface WhatIfOptions extends TargetOptions {
  readonly filename: string
  readonly watch?: number
}

export interface Difference extends JudgedConnection {
  readonly becomes: 'denied' | 'allowed'
  /** The rule that would say so; absent: nothing would isolate either end. */
  readonly rule?: string
}

export function addWhatIfCommand(policy: Command): void {
  const whatIf = policy
    .command('what-if')
    .description('which live connections of this node policies of a file would deny or allow')
    .requiredOption('-f, --filename <path>', 'policies that are added, or replace those named so')
    .option('--watch <seconds>', 'also judge what is denied in the next seconds', parseSeconds)
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<WhatIfOptions>()
      const { differences, judged } = await readDifferences(options)
      if (options.json) printJson(differences)
      else printDifferences(differences, judged)
    })
  addTargetOptions(whatIf)
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (seconds > 0 && seconds <= 3600) return seconds
  throw new InvalidArgumentError('not a number of seconds up to 3600.')
}

async function readDifferences(options: WhatIfOptions) {
  const { socket } = await findTarget(options)
  const text = readFileSync(options.filename, 'utf8')
  const status = await readAgent<Pick<AgentFacts, 'gateways' | 'addresses' | 'source'>>(
    socket,
    '/v1/status',
  )
  const [before, after] = [createTables(), createTables()]
  for (const name of POLICY_INPUTS) {
    const entries = await readAgent<Entry<object>[]>(socket, `/v1/tables/${name}`)
    for (const tables of [before, after]) fill(tables[name] as unknown as Table<object>, entries)
  }
  addManifest(after, text, options.filename)
  const { inspect, inspected } = await openKernel(options)
  const connections = connectionsOf(inspect.listFlows(inspected))
  if (options.watch) connections.push(...(await watchDenied(socket, options.watch)))
  const implicitNamespaces = status.source.kind === 'manifests'
  for (const tables of [before, after]) compile(tables, { implicitNamespaces })
  const own = [...status.gateways, ...status.addresses] as Address[]
  return {
    differences: differencesOf([before, after], own, connections),
    judged: connections.length,
  }
}

function fill(table: Table<object>, entries: readonly Entry<object>[]): void {
  for (const { row } of entries) table.upsert(row)
}

/** Throws a sentence for whatever of the file is no policy or not understood. */
export function addManifest(tables: Tables, text: string, filename: string): void {
  const { objects, faults, ignoredKinds } = readManifest(
    text,
    filename.endsWith('.json') ? 'json' : 'yaml',
  )
  const [fault] = faults
  if (fault) throw new Error(`Cannot read line ${fault.line} of ${filename}: ${fault.message}`)
  const policies: readonly object[] = [tables.networkPolicies, tables.clusterNetworkPolicies]
  const others = objects.filter(({ kind }) => !policies.includes(kind.tableOf(tables)))
  const [other] = [...ignoredKinds, ...others.map(({ id }) => id)]
  if (other !== undefined) throw new Error(`Cannot judge ${other} of ${filename}: it is no policy`)
  if (objects.length === 0) throw new Error(`Cannot judge ${filename}: there is no policy in it`)
  for (const { kind, row } of objects) {
    if (row) (kind.tableOf(tables) as unknown as Table<object>).upsert(row)
  }
}

/** Runs once, as the agent does at its start. */
export function compile(tables: Tables, settings: { readonly implicitNamespaces: boolean }): void {
  for (const name of POLICY_INPUTS) tables[name].markInitialized()
  const compiler = new PolicyCompiler(tables, { ...settings, budget: POLICY_BUDGET })
  compiler.start()
  compiler.run()
  compiler.stop()
}

/** Connections as their first packet went, after translation of the destination. */
function connectionsOf(flows: readonly FlowRecord[]): JudgedConnection[] {
  return flows
    .filter(({ direction }) => direction === 'forward')
    .map(({ tuple: { source, protocol }, out }) => {
      return { source, destination: out.destination, protocol, port: out.destinationPort }
    })
}

/** What policy refuses in the next seconds: of connections that are none there is no record. */
async function watchDenied(socket: string, seconds: number): Promise<JudgedConnection[]> {
  const denied: JudgedConnection[] = []
  const collect = async (): Promise<void> => {
    for await (const event of streamAgent<DatapathEvent>(socket, '/v1/monitor')) {
      if (event.kind !== 'drop' || !event.policy) continue
      const { source, destination, protocol, destinationPort: port } = event.tuple
      denied.push({ source, destination, protocol, port })
    }
  }
  await Promise.race([collect(), sleep(seconds * 1000)])
  return denied
}

/** Each connection once that is allowed before and denied after, or the other way round. */
export function differencesOf(
  [before, after]: readonly [Tables, Tables],
  own: readonly Address[],
  connections: readonly JudgedConnection[],
): Difference[] {
  const [now, then] = [new PolicyJudge(before, own), new PolicyJudge(after, own)]
  const differences = new Map<string, Difference>()
  for (const connection of connections) {
    const { allowed, rule } = then.judge(connection)
    if (now.judge(connection).allowed === allowed) continue
    const becomes = allowed ? 'allowed' : 'denied'
    const why = rule === undefined ? {} : { rule }
    differences.set(JSON.stringify(connection), { ...connection, becomes, ...why })
  }
  return [...differences.values()]
}

function printDifferences(differences: readonly Difference[], judged: number): void {
  print(`${judged} connections judged, ${differences.length} would change`)
  if (differences.length === 0) return
  printTable(
    ['BECOMES', 'PROTOCOL', 'FROM', 'TO', 'BY'],
    differences.map(({ becomes, protocol, source, destination, port, rule }) => [
      ...[becomes, protocolName(protocol), source],
      ...[port === 0 ? destination : formatAddressPort(destination, port)],
      rule ?? 'nothing isolates it',
    ]),
  )
}
