// Connections between pods of namespaces in which more and more policies select both of them,
// beside pods of nodes that hear of no policy, in the same rounds.
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { launchAgent, waitForAgent } from '../../lab/agents.ts'
import { builtProgram, labPaths } from '../../lab/paths.ts'
import { endProcess, type ProcessIdentity, signalProcess } from '../../lab/processes.ts'
import type { NodeRecord } from '../../lab/record.ts'
import { DEFAULT_SETTINGS } from '../../lab/spec.ts'
import { LOADS, type Load, type Path, sampleConnections, sampleLoad, startServer } from '../load.ts'
import { type BenchRow, measureInterleaved, type Subject } from '../measure.ts'
import { serveDataset } from '../scale/dataset.ts'
import { type BenchPlace, buildPlace, ownNodes, PLACE } from '../scale/place.ts'
import { attachByRoutes, attachByWeir, type BenchPod } from '../services/pods.ts'
import { probeNamespace, startProbe } from './effects.ts'
import { type RouterTools, startKubeRouter } from './kube-router.ts'
import { PodMaker } from './pods.ts'
import { crowdedNamespace, MEMBER, namespaceNamed, type World, worldDataset } from './world.ts'

export interface PathsOptions {
  readonly rounds: number
  readonly sampleMs: number
  readonly say: (line: string) => void
}

/** A server that somebody asks. */
interface Pair {
  /** "same-node", of so many policies; none: of a node that hears of none. */
  readonly way: string
  readonly policies: number
  readonly client: BenchPod
  readonly server: BenchPod
}

type Metric = { readonly name: string; readonly unit: string }

const BINARY = 'weir-netbench'
const ROUTER = 'kube-router'
const FAMILIES = ['ipv4', 'ipv6'] as const

/**
 * Pods of Weir's nodes, in the world's crowded namespaces; both ends on one node, and on two; then
 * of two nodes whose agents hear of no policy.
 */
export function measureWeirPaths(world: World, options: PathsOptions): Promise<BenchRow[]> {
  return measureOn(4, world, options, async (place, processes) => [
    ...(await weirPairs(place, world, processes)),
    ...(await bareWeirPairs(place, processes)),
  ])
}

/** The same on a node with kube-router, and on one without anything. */
export function measureRouterPaths(
  world: World,
  tools: RouterTools,
  options: PathsOptions,
): Promise<BenchRow[]> {
  return measureOn(2, world, options, (place, processes) =>
    routerPairs(place, world, tools, processes),
  )
}

async function measureOn(
  nodes: number,
  world: World,
  options: PathsOptions,
  build: (place: BenchPlace, processes: Processes) => Promise<Pair[]>,
): Promise<BenchRow[]> {
  const place = await buildPlace(nodes, options.say, { ipv6: true })
  const processes: Processes = []
  try {
    const extra = [...ownNodes(place), namespaceNamed(probeNamespace(ROUTER))]
    await serveDataset(place, worldDataset(world), extra, options.say)
    return await measure(await build(place, processes), options)
  } finally {
    for (const each of processes) await endProcess(each)
    await place.close()
  }
}

type Processes = ProcessIdentity[]

async function startWeir(
  node: NodeRecord,
  source: Readonly<Record<string, string>>,
  processes: Processes,
): Promise<void> {
  const agent = launchAgent(node, DEFAULT_SETTINGS, source)
  processes.push(agent)
  await waitForAgent({ ...node, agent })
}

async function weirPairs(place: BenchPlace, world: World, processes: Processes): Promise<Pair[]> {
  const [here, there] = place.nodes as [NodeRecord, NodeRecord]
  const { kubeconfig } = place
  for (const node of [here, there]) await startWeir(node, { kubeconfig }, processes)
  const near = new PodMaker(place, here, 'weir')
  const far = new PodMaker(place, there, 'weir')
  const pairs: Pair[] = []
  for (const policies of world.crowded) {
    const [namespace, labels] = [crowdedNamespace(policies), MEMBER]
    const client = await near.make({ namespace, name: 'client', labels })
    const server = await near.make({ namespace, name: 'near', labels })
    const other = await far.make({ namespace, name: 'far', labels })
    pairs.push({ way: 'same-node', policies, client, server })
    pairs.push({ way: 'cross-node', policies, client, server: other })
  }
  return pairs
}

/** Nodes whose agents read manifests, in which there are two nodes and nothing else. */
async function bareWeirPairs(place: BenchPlace, processes: Processes): Promise<Pair[]> {
  const [here, there] = place.nodes.slice(2) as [NodeRecord, NodeRecord]
  const { manifests } = labPaths(PLACE)
  mkdirSync(manifests, { recursive: true })
  const items = ownNodes({ nodes: [here, there] }).map(({ object, status }) => {
    return { ...object, status }
  })
  const list = { apiVersion: 'v1', kind: 'List', items }
  writeFileSync(join(manifests, 'nodes.json'), JSON.stringify(list))
  for (const node of [here, there]) await startWeir(node, { manifests }, processes)
  const client = await attachByWeir(here, 'client')
  const server = await attachByWeir(here, 'near')
  const other = await attachByWeir(there, 'far')
  return [
    { way: 'same-node', policies: 0, client, server },
    { way: 'cross-node', policies: 0, client, server: other },
  ]
}

/** kube-router has made its rules once and is then stopped: they stay as they are. */
async function routerPairs(
  place: BenchPlace,
  world: World,
  tools: RouterTools,
  processes: Processes,
): Promise<Pair[]> {
  const [node, bare] = place.nodes as [NodeRecord, NodeRecord]
  const way = ROUTER
  const maker = new PodMaker(place, node, 'routes')
  const pairs: Pair[] = []
  for (const policies of world.crowded) {
    const [namespace, labels] = [crowdedNamespace(policies), MEMBER]
    const client = await maker.make({ namespace, name: 'router-client', labels })
    const server = await maker.make({ namespace, name: 'router-server', labels })
    pairs.push({ way, policies, client, server })
  }
  const client = await attachByRoutes(bare, 'client', 1)
  const server = await attachByRoutes(bare, 'near', 2)
  pairs.push({ way, policies: 0, client, server })
  const probe = await startProbe(way, maker, 1)
  try {
    const router = await startKubeRouter(tools, node, place, probe)
    processes.push(router)
    signalProcess(router, 'SIGSTOP')
  } finally {
    probe.stop()
  }
  return pairs
}

async function measure(pairs: readonly Pair[], options: PathsOptions): Promise<BenchRow[]> {
  const binary = builtProgram(BINARY)
  const servers: ChildProcess[] = []
  const subjects: Subject[] = []
  try {
    for (const { way, policies, client, server } of pairs) {
      for (const [at, address] of server.addresses.entries()) {
        // kube-router is asked for IPv4 alone.
        if (way === ROUTER && at > 0) continue
        servers.push(await startServer(binary, server, address))
        const path: Path = { client, address }
        await untilOpen(path)
        subjects.push(...subjectsOf(`${way}-${FAMILIES[at]}`, policies, path, options))
      }
    }
    const ordered = [LOADS.rr, CONNECT, LOADS.crr, LOADS.stream].flatMap((metric) =>
      subjects.filter(({ name }) => name.endsWith(metric.name)),
    )
    return await measureInterleaved(ordered, options.rounds, (round) =>
      options.say(`round ${round + 1} of ${options.rounds}`),
    )
  } finally {
    for (const server of servers) server.kill('SIGKILL')
  }
}

/** Beside the loads: what connect() alone takes, which other work on the machine touches least. */
const CONNECT = { name: 'tcp-connect.latency-us', unit: 'us' } as const

function subjectsOf(
  way: string,
  policies: number,
  path: Path,
  { sampleMs }: PathsOptions,
): Subject[] {
  const binary = builtProgram(BINARY)
  const subject = (metric: Metric, sample: Subject['sample']): Subject => {
    const named = (count: number) => `${way}.${count}-policies.${metric.name}`
    return {
      ...{ name: named(policies), unit: metric.unit, sample },
      ...(policies > 0 ? { reference: named(0) } : {}),
    }
  }
  const loads = (Object.keys(LOADS) as Load[]).map((load) =>
    subject(LOADS[load], () => sampleLoad(binary, load, path, sampleMs)),
  )
  const connect = async () => (await sampleConnections(binary, path, sampleMs)).connectUs
  return [...loads, subject(CONNECT, connect)]
}

/** Both ends have heard of each other. */
async function untilOpen(path: Path): Promise<void> {
  for (const until = performance.now() + 60_000; ; await sleep(200)) {
    try {
      await sampleLoad(builtProgram(BINARY), 'rr', path, 1)
      return
    } catch (error) {
      if (performance.now() > until) throw error
    }
  }
}
