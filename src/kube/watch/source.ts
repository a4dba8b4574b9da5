// The Kubernetes source: an API server, listed and watched. Rows stay whatever happens to the
// server; they change when it says so.
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Table } from '../../state/table.ts'
import type { Tables } from '../../tables/tables.ts'
import type { Condition } from '../conditions.ts'
import type { KindHealth, Source, SourceHealth, SourceProblem } from '../source.ts'
import { AccessReader, type AccessSettings } from './access.ts'
import { ClusterLook } from './cluster.ts'
import { Compactor } from './compact.ts'
import { Connection } from './connection.ts'
import { Events } from './events.ts'
import { ListWatch } from './list-watch.ts'
import { rememberOwnNode } from './own-node.ts'
import { RESOURCES, type Resource } from './resources.ts'
import { KindRows } from './rows.ts'
import { TIMINGS, type Timings } from './timings.ts'

export interface KubernetesOptions {
  readonly access: AccessSettings
  readonly tables: Tables
  readonly nodeName: string
  readonly stateDir: string
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** What is to be told at the objects that it concerns. */
  readonly conditions: () => readonly Condition[]
  readonly timings?: Timings
}

interface Watched {
  readonly resource: Resource
  readonly rows: KindRows
  readonly listWatch: ListWatch
}

const OWN_NODE_FILE = 'own-node.json'

export class KubernetesSource implements Source {
  readonly #options: KubernetesOptions
  readonly #connection: Connection
  readonly #abort = new AbortController()
  readonly #watched: readonly Watched[]
  readonly #events: Events
  #running: Promise<unknown> | undefined
  #forgetOwnNode: (() => void) | undefined

  constructor(options: KubernetesOptions) {
    const { access, tables, log, nodeName, conditions, timings = TIMINGS } = options
    this.#options = options
    this.#connection = new Connection(new AccessReader(access), timings)
    const connection = this.#connection
    const { signal } = this.#abort
    const cluster = new ClusterLook(connection)
    const compactor = new Compactor()
    this.#watched = RESOURCES.map((resource) => {
      const table = resource.kind.tableOf(tables) as unknown as Table<object>
      const rows = new KindRows(resource.kind, table, compactor)
      const parts = { resource, connection, cluster, rows, timings, log, signal }
      return { resource, rows, listWatch: new ListWatch(parts) }
    })
    this.#events = new Events({
      ...{ connection, nodeName, timings, log, signal },
      conditions: () => [
        ...conditions(),
        ...this.#watched.flatMap(({ rows }) => rows.conditions()),
      ],
    })
  }

  /** Once. Does not wait for the API server. */
  async start(): Promise<void> {
    const { tables, nodeName, stateDir, log } = this.#options
    this.#forgetOwnNode = rememberOwnNode({
      ...{ nodeName, log, nodes: tables.nodes },
      path: join(stateDir, OWN_NODE_FILE),
    })
    const loops = [...this.#watched.map(({ listWatch }) => listWatch), this.#events]
    this.#running = Promise.all(loops.map((loop) => loop.run()))
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#running
    this.#forgetOwnNode?.()
    this.#connection.close()
  }

  health(): SourceHealth {
    const kinds = this.#watched.map(describeKind)
    const contacts = this.#watched.map(({ listWatch }) => listWatch.counts.contactAt)
    // As old as the kind that was heard of least recently.
    const contactAt = Math.min(...contacts.map((at) => at ?? Number.NaN))
    const problems = this.#watched.map(({ rows }) => rows.problems())
    return {
      kind: 'kubernetes',
      location: this.#connection.location,
      synced: kinds.every(({ synced }) => synced),
      ...(Number.isNaN(contactAt) ? {} : { lastSyncAt: toWallClock(contactAt) }),
      objects: Object.fromEntries(
        this.#watched.map(({ resource, rows }) => [resource.kind.kind, rows.count]),
      ),
      kinds,
      errors: [...this.#connectionProblems(), ...problems.flatMap(({ errors }) => errors)],
      notes: problems.flatMap(({ notes }) => notes),
    }
  }

  /** One sentence for all kinds with the same fault, and one when Weir would have to serve it. */
  #connectionProblems(): SourceProblem[] {
    const faults = new Map<string, string[]>()
    for (const { resource, listWatch } of this.#watched) {
      const { problem } = listWatch.counts
      if (problem === undefined) continue
      faults.set(problem, [...(faults.get(problem) ?? []), resource.kind.kind])
    }
    const problems = [...faults].map(([fault, kinds]) => ({
      where: '',
      message: `No connection for ${kinds.join(', ')}, rows stay as they are: ${fault}`,
    }))
    const service = this.#serviceInUse()
    if (service === undefined) return problems
    const message =
      `The API server is reached through Service ${service}, which Weir itself serves: ` +
      "give --api-server, or mount the kubelet's kubeconfig"
    return [...problems, { where: '', message }]
  }

  #serviceInUse(): string | undefined {
    const { host } = this.#connection
    for (const { namespace, name, clusterIps } of this.#options.tables.services.rows()) {
      if (clusterIps.some((address) => address === host)) return `${namespace}/${name}`
    }
    return undefined
  }
}

function describeKind({ resource, rows, listWatch }: Watched): KindHealth {
  const { synced, contactAt, eventAt, reconnects, relists, garbled } = listWatch.counts
  return {
    kind: resource.kind.kind,
    ...{ synced, reconnects, relists, garbled },
    ...(contactAt === undefined ? {} : { contactAgeMs: performance.now() - contactAt }),
    ...(eventAt === undefined ? {} : { eventAgeMs: performance.now() - eventAt }),
    badObjects: rows.badObjects(),
  }
}

/** Ms since the epoch, as the wall clock counts them now. */
function toWallClock(monotonicMs: number): number {
  return Math.round(Date.now() - (performance.now() - monotonicMs))
}
