// One world after another: what an agent takes of time and memory with it, and how long a change
// takes to its effect, for Weir and for kube-router on a node each.
import { setTimeout as sleep } from 'node:timers/promises'
import { askAgent } from '../../lab/agent-api.ts'
import { endProcess, type ProcessIdentity } from '../../lab/processes.ts'
import type { NodeRecord } from '../../lab/record.ts'
import { quantile } from '../measure.ts'
import { type AgentUnderTest, cpuSeconds, ready, startMeasured, statusMib } from '../scale/agent.ts'
import { inParallel } from '../scale/api-client.ts'
import { keepingAside } from '../scale/cpus.ts'
import { serveDataset } from '../scale/dataset.ts'
import { namespaceName } from '../scale/objects.ts'
import { type BenchPlace, buildPlace, ownNodes } from '../scale/place.ts'
import { isolation, meet, type Probe, probeNamespace, startProbe, timeEffects } from './effects.ts'
import { type RouterTools, startKubeRouter } from './kube-router.ts'
import { PodMaker } from './pods.ts'
import { namespaceNamed, policiesPath, type World, worldDataset } from './world.ts'

export type SubjectName = 'weir' | 'kube-router'

export interface WorldOptions {
  /** Rounds of eight changes. */
  readonly changes: number
  /** kube-router is left out where there are more. */
  readonly routerPolicies: number
  /** Pods of the node beside those that are measured. */
  readonly crowd: number
  readonly say: (line: string) => void
}

type Put = (subject: SubjectName, name: string, unit: string, value: number) => void

/** kube-router changes everything for everything. */
const ROUTER_ROUNDS = 3
const ROUTER_MS = 300_000

export async function measureWorld(
  world: World,
  tools: RouterTools,
  options: WorldOptions,
  put: Put,
): Promise<void> {
  const { say } = options
  const place = await buildPlace(2, say, { ipv6: true })
  try {
    const dataset = worldDataset(world)
    const probes = ['weir', 'kube-router'].map((name) => namespaceNamed(probeNamespace(name)))
    await serveDataset(place, dataset, [...ownNodes(place), ...probes], say)
    if (world.policies <= options.routerPolicies) {
      say(`${dataset.text}: kube-router`)
      await measureRouter(place, world, tools, options, put)
    }
    say(`${dataset.text}: weir`)
    await measureWeir(place, world, options, put)
  } finally {
    await place.close()
  }
}

/** Takes the policies away in the end. */
async function measureWeir(
  place: BenchPlace,
  world: World,
  options: WorldOptions,
  put: Put,
): Promise<void> {
  const node = place.nodes[0] as NodeRecord
  let agent = startMeasured(node, { kubeconfig: place.kubeconfig })
  let probe: Probe | undefined
  const restart = async (when: string) => {
    await agent.stop()
    agent = await measureStart(place, node, when, put)
  }
  try {
    await ready(agent)
    const pods = new PodMaker(place, node, 'weir')
    await pods.crowd(world, options.crowd)
    await restart('')
    probe = await startProbe('weir', pods, 2)
    await measureEffects(place, probe, 'weir', { rounds: options.changes, withinMs: 60_000 }, put)
    probe.stop()
    await removePolicies(place, world)
    await restart('without-policies.')
  } finally {
    probe?.stop()
    await agent.stop()
  }
}

/** A node whose agent comes back: everything is compiled anew, and found to be in force. */
async function measureStart(
  place: BenchPlace,
  node: NodeRecord,
  when: string,
  put: Put,
): Promise<AgentUnderTest> {
  const startedAt = performance.now()
  const agent = startMeasured(node, { kubeconfig: place.kubeconfig })
  while (!(await isInForce(agent))) {
    if (performance.now() - startedAt > 300_000) {
      throw new Error('Cannot measure: policies are not in force after five minutes')
    }
    await sleep(50)
  }
  put('weir', `${when}start`, 's', (performance.now() - startedAt) / 1000)
  put('weir', `${when}start.cpu`, 's', cpuSeconds(agent.process.pid))
  put('weir', `${when}start.resident`, 'MiB', statusMib(agent.process.pid, 'VmHWM'))
  await sleep(20_000)
  const { residentMib, heapMib } = await agent.memory()
  put('weir', `${when}resident`, 'MiB', residentMib)
  put('weir', `${when}heap`, 'MiB', heapMib)
  return agent
}

async function isInForce({ node }: AgentUnderTest): Promise<boolean> {
  try {
    const tables = (await askAgent(node.socket, '/v1/tables')) as Record<string, unknown>[]
    if (!tables.some((each) => each['name'] === 'endpointPolicies' && each['initialized'])) {
      return false
    }
    const rows = await askAgent(node.socket, '/v1/tables/endpointPolicies')
    const states = (rows as { status: { state: string } }[]).map(({ status }) => status.state)
    return states.length > 0 && states.every((state) => state === 'done')
  } catch {
    // It does not listen yet, or is busy.
    return false
  }
}

async function removePolicies({ client }: BenchPlace, world: World): Promise<void> {
  const namespaces = Array.from({ length: world.namespaces }, (_, at) => namespaceName(at))
  await inParallel(namespaces, (each) => client.ask('DELETE', policiesPath(each)))
}

/** From a cold start, which the probe sees end by a policy that is there before. */
async function measureRouter(
  place: BenchPlace,
  world: World,
  tools: RouterTools,
  { crowd }: WorldOptions,
  put: Put,
): Promise<void> {
  const node = place.nodes[1] as NodeRecord
  const pods = new PodMaker(place, node, 'routes')
  await pods.crowd(world, crowd)
  const probe = await startProbe('kube-router', pods, 1)
  let router: ProcessIdentity | undefined
  try {
    const startedAt = performance.now()
    router = await startKubeRouter(tools, node, place, probe)
    put('kube-router', 'start', 's', (performance.now() - startedAt) / 1000)
    put('kube-router', 'start.cpu', 's', cpuSeconds(router.pid))
    const { path, object } = isolation(probe.namespace)
    await place.client.ask('DELETE', `${path}/${object.metadata.name}`)
    await meet(probe, true, ROUTER_MS)
    const how = { rounds: ROUTER_ROUNDS, withinMs: ROUTER_MS }
    await measureEffects(place, probe, 'kube-router', how, put)
    put('kube-router', 'resident', 'MiB', statusMib(router.pid, 'VmRSS'))
  } finally {
    probe.stop()
    if (router) await endProcess(router, 1000)
  }
}

async function measureEffects(
  place: BenchPlace,
  probe: Probe,
  subject: SubjectName,
  how: { readonly rounds: number; readonly withinMs: number },
  put: Put,
): Promise<void> {
  const { effect, api } = await keepingAside(place.serverPids(), () =>
    timeEffects(place.client, probe, how),
  )
  for (const [kind, times] of [...Object.entries(effect), ['api-server', api] as const]) {
    put(subject, `${kind}.p50`, 'ms', quantile(times, 0.5))
    put(subject, `${kind}.p99`, 'ms', quantile(times, 0.99))
  }
}
