// A standalone source over a temporary directory, and the ways in which people and machines write
// files.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { StandaloneSource } from '../../../../src/kube/standalone/source.ts'
import { createTables, type Tables } from '../../../../src/tables/tables.ts'

export interface SetUp {
  readonly directory: string
  readonly tables: Tables
  readonly source: StandaloneSource
  /** "warn <message> <where>: <text>" of every line logged. */
  readonly logged: string[]
  readonly write: (name: string, text: string) => void
  /** As editors and careful programs do: a temporary name, then a rename. */
  readonly replace: (name: string, text: string) => void
  readonly remove: (name: string) => void
  /** Waits for a state; fails by the test's timeout. */
  readonly until: (state: () => boolean) => Promise<void>
  readonly errors: () => string[]
  readonly notes: () => string[]
}

export function setUp(t: TestContext, { rescanMs = 3_600_000, directory = '' } = {}): SetUp {
  const root = mkdtempSync(join(tmpdir(), 'weir-manifests-'))
  const path = join(root, directory)
  const tables = createTables()
  const logged: string[] = []
  const logger = (level: string) => (facts: { manifest: string; err: string }, text: string) =>
    logged.push(`${level} ${text} ${facts.manifest}: ${facts.err}`)
  const log = { info: logger('info'), warn: logger('warn') } as never
  const source = new StandaloneSource({ directory: path, tables, log, rescanMs })
  t.after(async () => {
    await source.stop()
    rmSync(root, { recursive: true })
  })
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  return {
    directory: path,
    tables,
    source,
    logged,
    write,
    replace: (name, text) => {
      write(`${name}.new~`, text)
      renameSync(join(path, `${name}.new~`), join(path, name))
    },
    remove: (name) => rmSync(join(path, name), { recursive: true }),
    until: async (state) => {
      while (!state()) await new Promise((resolve) => setTimeout(resolve, 5))
    },
    errors: () => source.health().errors.map(({ where, message }) => `${where} ${message}`),
    notes: () => source.health().notes.map(({ where, message }) => `${where} ${message}`),
  }
}

export const service = (
  name: string,
  clusterIp = '10.96.0.1',
  port: number | string = 80,
): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec:\n  clusterIP: ` +
  `${clusterIp}\n  ports:\n  - port: ${port}\n`
