// What policies are compiled from, read from the agent, and the compiling, which is done here in
// the CLI so that nothing disturbs the agent.
import type { AgentFacts } from '../api/facts.ts'
import { POLICY_BUDGET, POLICY_INPUTS, PolicyCompiler } from '../control/policy/compiler.ts'
import type { Address } from '../net/address.ts'
import type { Entry, Table } from '../state/table.ts'
import { createTables, type Tables } from '../tables/tables.ts'
import { readAgent } from './agent.ts'

export interface PolicyGround {
  /** With the rows of POLICY_INPUTS. */
  readonly tables: Tables
  readonly nodeName: string
  /** Of the node, its gateways included. */
  readonly own: readonly Address[]
  /** As in PolicySettings. */
  readonly implicitNamespaces: boolean
}

type TableName = keyof Tables
type Facts = Pick<AgentFacts, 'nodeName' | 'gateways' | 'addresses' | 'source'>

/** With the rows of `more` tables. Throws a sentence when the agent is away. */
export async function readGround(
  socket: string,
  more: readonly TableName[] = [],
): Promise<PolicyGround> {
  const { nodeName, gateways, addresses, source } = await readAgent<Facts>(socket, '/v1/status')
  const tables = createTables()
  for (const name of [...POLICY_INPUTS, ...more]) {
    const entries = await readAgent<Entry<object>[]>(socket, `/v1/tables/${name}`)
    for (const { row } of entries) tableOf(tables, name).upsert(row)
  }
  const own = [...gateways, ...addresses] as Address[]
  return { tables, nodeName, own, implicitNamespaces: source.kind === 'manifests' }
}

/** The same rows in tables of their own. */
export function copyInputs(from: Tables): Tables {
  const tables = createTables()
  for (const name of POLICY_INPUTS) {
    for (const row of tableOf(from, name).rows()) tableOf(tables, name).upsert(row)
  }
  return tables
}

function tableOf(tables: Tables, name: TableName): Table<object> {
  return tables[name] as unknown as Table<object>
}

/** Runs once, as the agent does at its start. */
export function compile(tables: Tables, settings: Pick<PolicyGround, 'implicitNamespaces'>): void {
  for (const name of POLICY_INPUTS) tables[name].markInitialized()
  const { implicitNamespaces } = settings
  const compiler = new PolicyCompiler(tables, { implicitNamespaces, budget: POLICY_BUDGET })
  compiler.start()
  compiler.run()
  compiler.stop()
}
