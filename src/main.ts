#!/usr/bin/env node
// weir-agent: builds every part, starts them in order, stops them in reverse. The datapath is
// opened once this node's row is known and outlives the agent: stopping takes nothing away from
// the kernel.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ApiServer } from './api/server.ts'
import type { ApiSources } from './api/sources.ts'
import { placeConflist } from './cni/conflist.ts'
import { cniCallFromHttp } from './cni/http.ts'
import { CniServer } from './cni/server.ts'
import { agentConditions, agentProblems, notReady } from './conditions.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { wirePolicy } from './control/wire.ts'
import type { Datapath } from './datapath/datapath.ts'
import {
  countAudited,
  countLostEvents,
  countPackets,
  type Inspected,
  listDestinations,
  listFrontends,
  listMaps,
} from './datapath/inspect.ts'
import { readIdentities, readPodPolicies } from './datapath/policy-read.ts'
import { openLibrary } from './libbpf/library.ts'
import { giveBackOnceRead } from './memory.ts'
import { NodeDatapath } from './node-datapath.ts'
import { serveHttp } from './observe/http.ts'
import { createLogger, type Logger, roomLogger } from './observe/log.ts'
import { Metrics, type Round } from './observe/metrics.ts'
import { countClosed } from './policy-problems.ts'
import { policySettled } from './policy-settled.ts'
import { inForce } from './readiness.ts'
import { unservedServices } from './service-capacity.ts'
import { ServiceDuties } from './service-duties.ts'
import { createSource, sourceState } from './source.ts'
import { type Operations, Reconciler } from './state/reconciler.ts'
import type { Table } from './state/table.ts'
import { createTables, type Tables } from './tables/tables.ts'

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env)
  const log = createLogger({ level: config.logLevel, nodeName: config.nodeName })
  const told = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
  })
  const stop = await start(config, log)
  log.info({ signal: await told }, 'Agent stops, the datapath stays')
  await stop()
}

/** Answers the way to stop everything that was started, in reverse. */
async function start(config: Config, log: Logger): Promise<() => Promise<void>> {
  const library = openLibrary({
    engine: config.ffi,
    ...(config.library === undefined ? {} : { path: config.library }),
  })
  const tables = createTables()
  const conditions = () => agentConditions(parts)
  const source = createSource(config, { tables, conditions, log: roomLogger(log, 'kube') })
  const node = new NodeDatapath({ config, library, tables, log: roomLogger(log, 'datapath') })
  const inspected = { library, bpfRoot: config.bpfRoot }
  const actual = actualReadings(node, inspected)
  const metrics = new Metrics(VERSION, {
    ...actual,
    tables: () => Object.values(tables),
    ...countings(inspected),
    policyClosed: () => countClosed(tables.endpointPolicies.rows()),
    source: () => sourceState(source),
    unserved: () => unservedServices(tables.frontends.entries()),
  })
  const roomOf = roomsOf(node, inspected)
  const duties = new ServiceDuties({ config, tables, metrics, log, roomOf })
  const reconcilers = createReconcilers(tables, node, { metrics, duties, log })
  const cni = createCni(config, { tables, node, reconcilers, log: roomLogger(log, 'cni') })
  const parts = { nodeName: config.nodeName, tables, node, duties }

  await source.start()
  cni.start()
  duties.start()
  const stopPolicy = wirePolicy(tables, { implicitNamespaces: config.manifests !== undefined })
  for (const reconciler of Object.values(reconcilers)) reconciler.start()
  const api = await ApiServer.listen(join(config.runDir, 'weir.sock'), {
    tables,
    actual,
    facts: () => ({
      ...{ version: VERSION, pid: process.pid, startedAtMs: STARTED_AT_MS },
      problems: agentProblems(parts),
      ...{ routing: config.routing, socketServices: config.socketServices },
      ...node.facts(),
      source: sourceState(source),
    }),
    handleCni: (headers, body) => cni.handle(cniCallFromHttp(headers, body)),
    observeCni: metrics.observeCni,
    subscribeEvents: (listener, options) => node.subscribeEvents(listener, options),
    log: roomLogger(log, 'api'),
  })
  const http = await serveHttp(config.http, {
    metrics,
    health: () => ({ ok: node.problem === undefined, problems: notReady(node) }),
  })
  log.info({ version: VERSION, http: `${http.address}:${http.port}` }, 'Agent runs')
  announce(config, node, roomLogger(log, 'cni'))
  giveBack(tables, reconcilers)
  await node.start(() => {
    for (const reconciler of Object.values(reconcilers)) reconciler.resync()
  })

  return async () => {
    await http.close()
    await api.close()
    cni.stop()
    stopPolicy()
    await node.stop()
    for (const reconciler of Object.values(reconcilers)) await reconciler.stop()
    await duties.stop()
    await source.stop()
    node.close()
  }
}

interface CniParts {
  readonly tables: Tables
  readonly node: NodeDatapath
  readonly reconcilers: ReturnType<typeof createReconcilers>
  readonly log: Logger
}

function createCni({ nodeName, stateDir }: Config, parts: CniParts): CniServer {
  const { tables, node, reconcilers, log } = parts
  const frontendSettled = (key: string) => reconcilers.frontends.settled(key)
  const settled = (key: string) => reconcilers.endpointPolicies.settled(key)
  return new CniServer({
    endpoints: tables.endpoints,
    settled: (key) => reconcilers.endpoints.settled(key),
    inForce: (row) =>
      inForce(row, {
        ...{ tables, settled: frontendSettled },
        policySettled: (endpoint) => policySettled(endpoint, { tables, settled }),
      }),
    ownNode: () => tables.nodes.get(nodeName),
    podMtu: () => node.podMtu,
    notReady: () => node.refusal,
    checkEndpoint: async (row) => opened(node).checkEndpoint(row),
    stateDir,
    log,
  })
}

/** What the first lists took, once they are in the maps. */
function giveBack(tables: Tables, reconcilers: ReturnType<typeof createReconcilers>): void {
  const { nodes, namespaces, pods, services, endpointSlices } = tables
  // Of the last two the first list is what is made of all the others.
  const { frontends, endpointPolicies } = tables
  const read = [nodes, namespaces, pods, services, endpointSlices, frontends, endpointPolicies]
  const idle = async (): Promise<void> => {
    await reconcilers.frontends.idle()
    await reconcilers.endpointPolicies.idle()
  }
  giveBackOnceRead(read, idle).catch(() => {})
}

/** Tells the runtime of the network, once pods can be taken; it stays told. */
function announce({ cniConfDir, ...places }: Config, node: NodeDatapath, log: Logger): void {
  if (cniConfDir === undefined) return
  node.opened().then(
    () => {
      if (placeConflist(cniConfDir, places)) log.info({ cniConfDir }, 'Conflist written')
    },
    // The agent stops before its datapath was ever open.
    () => {},
  )
}

/** Sizes of maps, once they are there. */
function roomsOf(node: NodeDatapath, inspected: Inspected): (map: string) => number | undefined {
  return (map) => {
    if (!node.current) return undefined
    return listMaps(inspected, { count: false }).find(({ name }) => name === map)?.maxEntries
  }
}

/** What the kernel has counted and metrics alone show. */
function countings(inspected: Inspected) {
  return {
    eventsLost: () => countLostEvents(inspected),
    audited: () => countAudited(inspected),
  }
}

/** What the kernel holds; the maps are read through their pins. */
function actualReadings(node: NodeDatapath, inspected: Inspected): ApiSources['actual'] {
  return {
    endpoints: () => opened(node).readEndpoints(),
    routes: () => opened(node).readNodeRoutes(),
    flows: () => node.current?.flowCounts,
    frontends: () => listFrontends(inspected),
    destinations: () => listDestinations(inspected),
    maps: () => listMaps(inspected),
    packets: () => countPackets(inspected),
    identities: () => readIdentities(inspected),
    podPolicies: () => readPodPolicies(inspected),
  }
}

const STARTED_AT_MS = Date.now()
const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
).version

/** One per desired table; they wait for the datapath by themselves. */
function createReconcilers(
  tables: Tables,
  node: NodeDatapath,
  { metrics, duties, log }: { metrics: Metrics; duties: ServiceDuties; log: Logger },
) {
  const stateLog = roomLogger(log, 'state')
  const onError = (table: string, key: string, error: Error | undefined): void => {
    if (error) stateLog.warn({ table, key, err: error }, 'A row failed and is retried')
    else stateLog.info({ table, key }, 'A row that failed is well again')
  }
  const onRound = (table: string, round: Round): void => {
    metrics.observeRound(table, round)
    duties.observeRound(table, round)
  }
  const options = { onError, onRound }
  const reconcile = <Row extends object>(
    table: Table<Row>,
    pick: (datapath: Datapath) => Operations<Row>,
  ) => new Reconciler(table, whenOpen(node, pick), options)
  return {
    endpoints: reconcile(tables.endpoints, ({ endpoints }) => endpoints),
    frontends: reconcile(tables.frontends, ({ frontends }) => frontends),
    destinations: reconcile(tables.destinations, ({ destinations }) => destinations),
    nodeRoutes: reconcile(tables.nodeRoutes, ({ nodeRoutes }) => nodeRoutes),
    addressIdentities: reconcile(
      tables.addressIdentities,
      ({ policy }) => policy.addressIdentities,
    ),
    cidrIdentities: reconcile(tables.cidrIdentities, ({ policy }) => policy.cidrIdentities),
    policySets: reconcile(tables.policySets, ({ policy }) => policy.policySets),
    endpointPolicies: reconcile(tables.endpointPolicies, ({ policy }) => policy.endpointPolicies),
    masqueradeExclusions: reconcile(
      tables.masqueradeExclusions,
      ({ masqueradeExclusions }) => masqueradeExclusions,
    ),
    healthChecks: new Reconciler(tables.healthChecks, duties.listeners, options),
  }
}

function whenOpen<Row>(
  node: NodeDatapath,
  pick: (datapath: Datapath) => Operations<Row>,
): Operations<Row> {
  return {
    update: async (rows) => pick(await node.opened()).update(rows),
    delete: async (rows) => pick(await node.opened()).delete(rows),
    prune: async (rows) => pick(await node.opened()).prune?.(rows),
  }
}

function opened(node: NodeDatapath): Datapath {
  if (node.current) return node.current
  throw new Error(`Cannot read the datapath: ${node.problem ?? 'it is not open'}`)
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    // Settings errors are for a person at a terminal: the sentences alone.
    console.error(error instanceof ConfigError ? error.message : error)
    process.exit(1)
  },
)
