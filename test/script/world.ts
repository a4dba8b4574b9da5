// The control plane of one node as a script sees it: manifests go in at one end, maps come out at
// the other. Everything between is the real thing: source, tables, derivations, reconcilers,
// operations.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type ControlSettings, SERVICE_DEFAULTS } from '../../src/control/settings.ts'
import { type Conflict, wire } from '../../src/control/wire.ts'
import { destinationOperations } from '../../src/datapath/destinations.ts'
import { Services } from '../../src/datapath/services.ts'
import { StandaloneSource } from '../../src/kube/standalone/source.ts'
import { parsePrefix } from '../../src/net/prefix.ts'
import { Reconciler } from '../../src/state/reconciler.ts'
import { createTables } from '../../src/tables/tables.ts'
import { dumpMaps, dumpNamedTable } from './dump.ts'
import type { ScriptMaps } from './maps.ts'

const NEVER_MS = 3_600_000

export class World {
  readonly #tables = createTables()
  readonly #directory = mkdtempSync(join(tmpdir(), 'weir-script-'))
  readonly #maps: ScriptMaps
  readonly #source: StandaloneSource
  readonly #services: Services
  readonly #reconcilers: readonly Pick<Reconciler<object>, 'start' | 'stop' | 'idle'>[]
  readonly #stopDerivations: () => void
  readonly #conflicts: Conflict[] = []

  constructor(maps: ScriptMaps, settings: ControlSettings) {
    const log = { info: () => {}, warn: () => {} } as never
    this.#maps = maps
    this.#source = new StandaloneSource({
      directory: this.#directory,
      tables: this.#tables,
      log,
      rescanMs: NEVER_MS,
    })
    this.#services = new Services(maps, { graceMs: 0 })
    const { frontends, destinations } = this.#tables
    const options = { retryMs: () => NEVER_MS }
    const map = maps.destinations
    const operations = destinationOperations({ map, bumpEpoch: () => {}, podCidrs: [] })
    this.#reconcilers = [
      new Reconciler(frontends, this.#services, options),
      new Reconciler(destinations, operations, options),
    ]
    for (const reconciler of this.#reconcilers) reconciler.start()
    this.#tables.endpoints.markInitialized()
    this.#stopDerivations = wire(this.#tables, settings, (conflict) =>
      this.#conflicts.push(conflict),
    )
  }

  write(name: string, text: string): void {
    const path = join(this.#directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${text}\n`)
  }

  rename(from: string, to: string): void {
    renameSync(join(this.#directory, from), join(this.#directory, to))
  }

  remove(name: string): void {
    rmSync(join(this.#directory, name), { recursive: true })
  }

  removeAll(): void {
    rmSync(this.#directory, { recursive: true })
    mkdirSync(this.#directory)
  }

  /** Until what the manifests say has arrived in the maps, and sets that were replaced are gone. */
  async settle(): Promise<void> {
    await this.#source.stop()
    await this.#source.start()
    await new Promise((resolve) => setImmediate(resolve))
    for (const reconciler of this.#reconcilers) await reconciler.idle()
    await new Promise((resolve) => setTimeout(resolve, 2))
  }

  /** What a section of this name shows: a table, "maps", "errors", "notes" or "conflicts". */
  show(name: string): string {
    const { errors, notes } = this.#source.health()
    const problems = { errors, notes }[name]
    if (problems) return problems.map(({ where, message }) => `${where} ${message}`).join('\n')
    if (name === 'maps') return dumpMaps(this.#maps)
    if (name === 'conflicts') return this.#conflicts.map(formatConflict).join('\n')
    const table = dumpNamedTable(name, this.#tables)
    if (table === undefined) throw new Error(`Cannot show ${name}: no such table`)
    return table
  }

  async close(): Promise<void> {
    this.#stopDerivations()
    await this.#source.stop()
    for (const reconciler of this.#reconcilers) await reconciler.stop()
    this.#services.stop()
    this.#maps.close()
    rmSync(this.#directory, { recursive: true })
  }
}

function formatConflict({ table, key, owner, loser }: Conflict): string {
  return `${table} ${key}: ${owner} has it, ${loser} wants it too`
}

/** "node: node-1", "routing: auto", "on-link: 192.168.0.0/24 fd00::/64"; those are the defaults. */
export function parseSettings(text: string): ControlSettings {
  const given = new Map(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(': ') as [string, string]),
  )
  const onLink = given.get('on-link') ?? '192.168.0.0/24 fd00::/64'
  return {
    nodeName: given.get('node') ?? 'node-1',
    routing: (given.get('routing') ?? 'auto') as ControlSettings['routing'],
    onLinkPrefixes: onLink.split(' ').filter(Boolean).map(parsePrefix),
    services: {
      ...SERVICE_DEFAULTS,
      nodePortAddresses: (given.get('nodeports') ?? '').split(' ').filter(Boolean).map(parsePrefix),
    },
  }
}
