// `weir bench scale`: one agent with a big cluster's objects from a real API server: time, memory
// and CPU time, in protobuf and in JSON.
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeRecord } from '../../lab/record.ts'
import { quantile } from '../measure.ts'
import {
  type AgentUnderTest,
  clearServices,
  cpuSeconds,
  type Memory,
  ready,
  startMeasured,
  statusMib,
  timeSync,
} from './agent.ts'
import { probeObjects, startChurn, timeEvents } from './churn.ts'
import { keepingAside } from './cpus.ts'
import { serveDataset } from './dataset.ts'
import { startProxy } from './json-proxy.ts'
import { describeShape, type Shape, shapeDataset } from './objects.ts'
import { type BenchPlace, buildPlace, MACHINE, ownNodes } from './place.ts'

export interface ScaleOptions {
  readonly shape: Shape
  /** Slices changed per second during churn. */
  readonly churn: number
  readonly churnSeconds: number
  /** Flags for the Node binary of the agent. */
  readonly nodeFlags: readonly string[]
  readonly say: (line: string) => void
}

/** A figure of one way to ask the API server. */
export interface ScaleFigure {
  readonly name: string
  readonly unit: string
  readonly way: string
  readonly value: number
}

const EMPTY: Shape = { services: 0, endpointsPerService: 0, pods: 0, namespaces: 0, nodes: 0 }
const EVENTS = 200

export async function runScale(options: ScaleOptions): Promise<ScaleFigure[]> {
  const { say, shape } = options
  const place = await buildPlace(1, say)
  const node = place.nodes[0] as NodeRecord
  try {
    await serveDataset(place, shapeDataset(EMPTY), [...ownNodes(place), ...probeObjects()], say)
    const idle = await measureIdle(place, node, options)
    await serveDataset(place, shapeDataset(shape), [...ownNodes(place), ...probeObjects()], say)
    const figures = [...idle]
    for (const way of WAYS) {
      say(`${way}: ${describeShape(shape)}`)
      const measured = await measureWay(place, node, way, options)
      for (const { name, value, unit } of measured) say(`  ${name} ${value.toPrecision(4)} ${unit}`)
      figures.push(...measured)
    }
    return figures
  } finally {
    await place.close()
  }
}

const WAYS = ['protobuf', 'protobuf, no TLS', 'JSON, no TLS'] as const
type Way = (typeof WAYS)[number]

async function withSource<T>(
  place: BenchPlace,
  way: Way,
  work: (source: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  if (way === 'protobuf') return work({ kubeconfig: place.kubeconfig })
  const refusesProtobuf = way.startsWith('JSON')
  const proxy = await startProxy(place.client, MACHINE, { refusesProtobuf })
  try {
    return await work({ 'api-server': proxy.url })
  } finally {
    proxy.close()
  }
}

/** An agent of a cluster that holds nothing but its node. */
async function measureIdle(place: BenchPlace, node: NodeRecord, options: ScaleOptions) {
  options.say('an idle agent')
  const agent = startMeasured(node, { kubeconfig: place.kubeconfig }, options.nodeFlags)
  try {
    await ready(agent)
    await sleep(20_000)
    const cpu = await cpuPercent(agent, 10_000)
    return [
      ...memoryFigures('idle', 'protobuf', await agent.memory()),
      figure('idle.cpu', '% of a CPU', 'protobuf', cpu),
    ]
  } finally {
    await agent.stop()
  }
}

function measureWay(place: BenchPlace, node: NodeRecord, way: Way, options: ScaleOptions) {
  return withSource(place, way, async (source) => {
    clearServices(node)
    const startedAt = performance.now()
    const agent = startMeasured(node, source, options.nodeFlags)
    const { pid } = agent.process
    try {
      // The probe and the API server's own Service come on top.
      const sync = await timeSync(agent, startedAt, options.shape.services + 2)
      const syncCpu = cpuSeconds(pid)
      const atOnce = await agent.memory()
      await sleep(20_000)
      const settled = await agent.memory()
      const peak = statusMib(pid, 'VmHWM')
      const restCpu = await cpuPercent(agent, 10_000)
      const [alone, churned] = await keepingAside(place.serverPids(), async () => [
        await timeEvents(place.client, node, EVENTS),
        await measureChurn(place, agent, way, options),
      ])
      return [
        figure('sync.read', 's', way, sync.syncedMs / 1000),
        figure('sync.maps', 's', way, sync.mapsMs / 1000),
        figure('sync.cpu', 's', way, syncCpu),
        ...memoryFigures('synced', way, atOnce),
        figure('peak.resident', 'MiB', way, peak),
        ...memoryFigures('after-20-s', way, settled),
        figure('after-20-s.cpu', '% of a CPU', way, restCpu),
        ...eventFigures('quiet', way, alone),
        ...churned,
      ]
    } finally {
      await agent.stop()
    }
  })
}

async function measureChurn(
  { client }: BenchPlace,
  agent: AgentUnderTest,
  way: Way,
  { shape, churn: perSecond, churnSeconds, say }: ScaleOptions,
): Promise<ScaleFigure[]> {
  const churn = startChurn(client, shape, perSecond)
  const startedAt = performance.now()
  try {
    const cpu = await cpuPercent(agent, churnSeconds * 1000)
    const events = await timeEvents(client, agent.node, EVENTS)
    return [
      figure('churn.cpu', '% of a CPU', way, cpu),
      ...memoryFigures('churn', way, await agent.memory()),
      ...eventFigures('churn', way, events),
    ]
  } finally {
    const seconds = (performance.now() - startedAt) / 1000
    const taken = await churn.stop()
    say(`${way}: ${(taken / seconds).toFixed(0)} changes a second taken`)
  }
}

async function cpuPercent({ process: { pid } }: AgentUnderTest, ms: number): Promise<number> {
  const [before, startedAt] = [cpuSeconds(pid), performance.now()]
  await sleep(ms)
  return ((cpuSeconds(pid) - before) / ((performance.now() - startedAt) / 1000)) * 100
}

function figure(name: string, unit: string, way: string, value: number): ScaleFigure {
  return { name, unit, way, value }
}

function memoryFigures(when: string, way: string, memory: Memory): ScaleFigure[] {
  return [
    figure(`${when}.resident`, 'MiB', way, memory.residentMib),
    figure(`${when}.anonymous`, 'MiB', way, memory.anonymousMib),
    figure(`${when}.heap`, 'MiB', way, memory.heapMib),
  ]
}

function eventFigures(when: string, way: string, times: readonly number[]): ScaleFigure[] {
  return [
    figure(`${when}.event-to-map.p50`, 'ms', way, quantile(times, 0.5)),
    figure(`${when}.event-to-map.p99`, 'ms', way, quantile(times, 0.99)),
  ]
}
