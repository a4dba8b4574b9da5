// What policies cost an agent to compile, without a kernel: its own parts from rows to map writes,
// in this process, over maps that count what they are told to write.
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { POLICY_BUDGET, POLICY_INPUTS, PolicyCompiler } from '../../control/policy/compiler.ts'
import type { EntryMap } from '../../datapath/entry-map.ts'
import { Policy } from '../../datapath/policy.ts'
import { findKind } from '../../kube/kinds.ts'
import { Compactor } from '../../kube/watch/compact.ts'
import type { Mac } from '../../net/mac.ts'
import { type Operations, Reconciler } from '../../state/reconciler.ts'
import type { Table } from '../../state/table.ts'
import type { Pod } from '../../tables/intent.ts'
import { createTables, type Tables } from '../../tables/tables.ts'
import { quantile } from '../measure.ts'
import { nodeName, type Wanted } from '../scale/objects.ts'
import { type Change, changesOf } from './changes.ts'
import { podsOf, policiesOf, type World, worldDataset } from './world.ts'

export type Put = (name: string, unit: string, value: number) => void

/** Rows share what is equal, as those that the agent reads. */
const shared = new Compactor()

/** Compiles a world for the pods of its first node, then changes it again and again. */
export async function measureCost(world: World, turns: number, put: Put): Promise<void> {
  const tables = fillTables(world)
  const before = heapMib()
  const compiler = new PolicyCompiler(tables, { implicitNamespaces: false, budget: POLICY_BUDGET })
  compiler.start()
  put(
    'compile',
    'ms',
    cpuMs(() => compiler.run()),
  )
  put('compile.heap', 'MiB', heapMib() - before)
  put('compile.sets', '', tables.policySets.size)
  put('compile.entries', '', [...tables.policySets.rows()].flatMap(({ entries }) => entries).length)
  const identities = [...tables.addressIdentities.rows()].map(({ identity }) => identity)
  put('compile.identities', '', new Set(identities).size)
  const kernel = countingKernel(tables)
  await kernel.settled()
  kernel.take()
  for (const change of changesOf(world)) {
    const [times, writes]: [number[], number[]] = [[], []]
    for (let turn = 0; turn < turns * 2; turn++) {
      apply(tables, change, turn)
      times.push(cpuMs(() => compiler.run()))
      await kernel.settled()
      writes.push(kernel.take())
    }
    put(`${change.name}.compile.p50`, 'ms', quantile(times, 0.5))
    put(`${change.name}.compile.p99`, 'ms', quantile(times, 0.99))
    put(`${change.name}.map-writes`, '', quantile(writes, 0.5))
  }
  compiler.stop()
  await kernel.stop()
}

function fillTables(world: World): Tables {
  const tables = createTables()
  const objects = [...worldDataset(world).ranks().flat(), ...podsOf(world), ...policiesOf(world)]
  for (const wanted of objects) upsert(tables, wanted)
  for (const pod of tables.pods.rows()) {
    if (pod.nodeName === nodeName(0)) tables.endpoints.upsert(endpointOf(pod))
  }
  for (const name of POLICY_INPUTS) tables[name].markInitialized()
  return tables
}

/** Through the same functions as what an API server says. */
function upsert(tables: Tables, { object, status }: Wanted): void {
  const kind = findKind(object.apiVersion, object.kind)
  const row = kind?.convert({ ...object, status } as never).row
  if (kind && row) (kind.tableOf(tables) as unknown as Table<object>).upsert(shared.compact(row))
}

function apply(tables: Tables, { states }: Change, turn: number): void {
  const { wanted, isThere } = states[turn % states.length] as Change['states'][number]
  const { kind: name, apiVersion, metadata } = wanted.object
  if (isThere) {
    upsert(tables, wanted)
    return
  }
  const { namespace, name: of } = metadata
  const table = findKind(apiVersion, name)?.tableOf(tables) as unknown as Table<object>
  table.delete(namespace === undefined ? of : `${namespace}/${of}`)
}

function endpointOf({ namespace, name, uid, addresses }: Pod) {
  return {
    ...{ id: 1, containerId: `${namespace}-${name}`, ifName: 'eth0', netns: '/run/netns/none' },
    ...{ podNamespace: namespace, podName: name, podUid: uid, addresses, mtu: 1450 },
    ...{ mac: '02:00:00:00:00:01' as Mac, hostMac: '02:00:00:00:00:02' as Mac },
    ...{ hostIfName: 'weir0', network: 'weir', hostPorts: [] },
  }
}

/** A map that counts and holds nothing: its writer knows itself what it has written. */
class CountingMap<K, V> implements EntryMap<K, V> {
  readonly name = 'counted'
  readonly maxEntries = Number.POSITIVE_INFINITY
  writes = 0

  get(): V | undefined {
    return undefined
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    return keys.map(() => undefined)
  }

  entries(): Iterable<readonly [K, V]> {
    return []
  }

  keys(): Iterable<K> {
    return []
  }

  updateMany(entries: readonly (readonly [K, V])[]): ReadonlyMap<number, Error> {
    this.writes += entries.length
    return new Map()
  }

  deleteMany(keys: readonly K[]): void {
    this.writes += keys.length
  }
}

/** The datapath's side of policy and its reconcilers. */
function countingKernel(tables: Tables) {
  const maps = {
    ...{ identities: new CountingMap<never, never>(), cidrs: new CountingMap<never, never>() },
    ...{ pods: new CountingMap<never, never>(), rules: new CountingMap<never, never>() },
  }
  let generation = 0
  const policy = new Policy({
    ...{ tables, maps, bumpEpoch: () => {} },
    generation: {
      read: () => generation,
      write: (value) => {
        generation = value
      },
    },
  })
  const reconcile = <Row extends object>(table: Table<Row>, operations: Operations<Row>) =>
    new Reconciler(table, operations)
  const reconcilers = [
    reconcile(tables.addressIdentities, policy.addressIdentities),
    reconcile(tables.cidrIdentities, policy.cidrIdentities),
    reconcile(tables.policySets, policy.policySets),
    reconcile(tables.endpointPolicies, policy.endpointPolicies),
  ]
  for (const reconciler of reconcilers) reconciler.start()
  return {
    settled: async () => {
      await Promise.all(reconcilers.map((each) => each.idle()))
      await policy.settled()
    },
    /** Writes since the last call. */
    take: () => {
      const all = Object.values(maps)
      const writes = all.reduce((sum, map) => sum + map.writes, 0)
      for (const map of all) map.writes = 0
      return writes
    },
    stop: async () => {
      for (const reconciler of reconcilers) await reconciler.stop()
      policy.stop()
      await sleep(0)
    },
  }
}

/** CPU time and not the clock's, which also has what others do meanwhile. */
function cpuMs(work: () => void): number {
  const begun = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(begun)
  return (user + system) / 1000
}

/** Live objects alone. */
function heapMib(): number {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
  return process.memoryUsage().heapUsed / 2 ** 20
}
