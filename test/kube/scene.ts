// A Kubernetes source on tables of its own beside a misbehaving server, and the way to wait until
// the tables equal what the server has.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Condition } from '../../src/kube/conditions.ts'
import type { AccessSettings } from '../../src/kube/watch/access.ts'
import { RESOURCES } from '../../src/kube/watch/resources.ts'
import { KubernetesSource } from '../../src/kube/watch/source.ts'
import { TIMINGS, type Timings } from '../../src/kube/watch/timings.ts'
import type { Table } from '../../src/state/table.ts'
import { createTables, type Tables } from '../../src/tables/tables.ts'
import { FakeApiServer, type ServerOptions } from './api-server.ts'
import type { ApiObject, ClusterState } from './cluster-state.ts'

/** Everything sooner than in earnest. */
export const QUICK: Timings = {
  ...TIMINGS,
  connectMs: 1000,
  answerMs: 1000,
  silenceMs: 5000,
  watchSeconds: [30, 60],
  settledMs: 20,
  backoff: { baseMs: 2, maxMs: 40 },
  rereadMs: 20,
  absentMs: 50,
  tellMs: 20,
}

const CONVERGES_WITHIN_MS = 10_000

export interface Scene extends AsyncDisposable {
  readonly server: FakeApiServer
  readonly source: KubernetesSource
  readonly tables: Tables
  /** Lines logged, by level. */
  readonly logged: string[]
  /** Waits until the tables hold what the server's state gives; fails with the difference. */
  converged(server?: FakeApiServer): Promise<void>
}

export interface SceneOptions extends ServerOptions {
  readonly timings?: Partial<Timings>
  readonly access?: Partial<AccessSettings>
  /** Called before the source starts. */
  readonly prepare?: (server: FakeApiServer) => void
  readonly nodeName?: string
  readonly conditions?: () => readonly Condition[]
  readonly stateDir?: string
}

export async function setScene(options: SceneOptions = {}): Promise<Scene> {
  const server = await FakeApiServer.listen(options)
  populate(server.state)
  options.prepare?.(server)
  const tables = createTables()
  const logged: string[] = []
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'weir-kube-')))
  const source = new KubernetesSource({
    access: {
      apiServers: [server.url],
      env: {},
      serviceAccountDir: join(stateDir, 'none'),
      kubeletKubeconfigs: [],
      ...options.access,
    },
    tables,
    nodeName: options.nodeName ?? 'node-1',
    stateDir,
    conditions: options.conditions ?? (() => []),
    log: {
      info: (_: object, text: string) => void logged.push(`info ${text}`),
      warn: (_: object, text: string) => void logged.push(`warn ${text}`),
    } as never,
    timings: { ...QUICK, ...options.timings },
  })
  await source.start()
  return {
    ...{ server, source, tables, logged },
    converged: (other = server) => waitForTruth(other, source, tables),
    async [Symbol.asyncDispose]() {
      await source.stop()
      await server.close().catch(() => {})
      if (options.stateDir === undefined) await rm(stateDir, { recursive: true })
    },
  }
}

async function waitForTruth(
  server: FakeApiServer,
  source: KubernetesSource,
  tables: Tables,
): Promise<void> {
  const until = performance.now() + CONVERGES_WITHIN_MS
  for (;;) {
    const actual = actualRows(tables)
    const expected = expectedRows(server.state)
    try {
      assert.deepEqual(actual, expected)
      assert.ok(source.health().synced, 'all kinds are synced')
      assert.deepEqual(new Set(server.watched()), new Set(RESOURCES.map(({ plural }) => plural)))
      return
    } catch (error) {
      if (performance.now() > until) {
        console.error(JSON.stringify(source.health(), undefined, 1))
        throw error
      }
    }
    await sleep(5)
  }
}

/** Waits for what comes by itself. */
export async function until(condition: () => boolean): Promise<void> {
  const endsAt = performance.now() + CONVERGES_WITHIN_MS
  while (!condition()) {
    assert.ok(performance.now() < endsAt, `never: ${condition}`)
    await sleep(5)
  }
}

export function actualRows(tables: Tables): Record<string, object[]> {
  return rowsBy((kind) => [...(kind.tableOf(tables) as unknown as Table<object>).rows()])
}

/** What the state gives by the same conversion; objects that are wrong give nothing. */
export function expectedRows(state: ClusterState): Record<string, object[]> {
  return rowsBy((kind, plural) =>
    state.list(plural).flatMap((object) => {
      const { row } = kind.convert(object as never)
      return row ? [row] : []
    }),
  )
}

type KindOf = (typeof RESOURCES)[number]['kind']

function rowsBy(read: (kind: KindOf, plural: string) => object[]): Record<string, object[]> {
  return Object.fromEntries(
    RESOURCES.map(({ kind, plural }) => {
      const sorted = read(kind, plural).sort((a, b) =>
        compareText(JSON.stringify(a), JSON.stringify(b)),
      )
      return [plural, JSON.parse(JSON.stringify(sorted)) as object[]]
    }),
  )
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A few objects of each kind. */
export function populate(state: ClusterState): void {
  for (const n of [1, 2]) state.put('nodes', node(n))
  state.put('namespaces', { metadata: { name: 'default', labels: { team: 'a' } } })
  for (const n of [1, 2, 3, 4, 5]) state.put('pods', pod(n))
  for (const n of [1, 2]) state.put('services', service(n))
  for (const n of [1, 2]) state.put('endpointslices', slice(n, n))
}

export function node(n: number): ApiObject {
  return {
    metadata: { name: `node-${n}`, labels: { zone: `z${n % 2}` } },
    spec: { podCIDR: `10.1.${n}.0/24`, podCIDRs: [`10.1.${n}.0/24`, `fd00:1:${n}::/64`] },
    status: { addresses: [{ type: 'InternalIP', address: `192.0.2.${n}` }] },
  }
}

export function pod(n: number, phase = 'Running'): ApiObject {
  const ip = `10.1.${n % 3}.${1 + (n % 250)}`
  return {
    metadata: { namespace: 'default', name: `pod-${n}`, labels: { app: `a${n % 3}` } },
    spec: { nodeName: `node-${1 + (n % 2)}`, hostNetwork: n % 5 === 0 },
    status: { phase, podIP: ip, podIPs: [{ ip }] },
  }
}

export function service(n: number, port = 80): ApiObject {
  return {
    metadata: { namespace: 'default', name: `web-${n}` },
    spec: {
      type: 'ClusterIP',
      clusterIP: `10.96.0.${n}`,
      clusterIPs: [`10.96.0.${n}`],
      ports: [{ name: 'http', protocol: 'TCP', port }],
    },
  }
}

export function slice(n: number, endpoints: number): ApiObject {
  return {
    metadata: {
      namespace: 'default',
      name: `web-${n}-abc`,
      labels: { 'kubernetes.io/service-name': `web-${n}` },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: Array.from({ length: endpoints }, (_, at) => ({
      addresses: [`10.1.${n}.${at + 1}`],
      conditions: { ready: at % 2 === 0, serving: true, terminating: false },
      nodeName: 'node-1',
      zone: 'z1',
    })),
  } as ApiObject
}
