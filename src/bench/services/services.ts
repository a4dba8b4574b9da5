// `weir bench services`: Weir beside kube-proxy in iptables and nftables mode, each on a node of
// its own of one underlay, all fed by one API server, with more and more Services.
import { setTimeout as sleep } from 'node:timers/promises'
import { builtProgram } from '../../lab/paths.ts'
import { endProcess, type ProcessIdentity } from '../../lab/processes.ts'
import type { NodeRecord } from '../../lab/record.ts'
import { runAnyway } from '../../lab/run.ts'
import { type Path, placedCommand, sampleConnections } from '../load.ts'
import { quantile, Unreached } from '../measure.ts'
import { countFrontends, cpuSeconds, statusMib } from '../scale/agent.ts'
import { startChurn } from '../scale/churn.ts'
import { keepingAside } from '../scale/cpus.ts'
import { serveDataset } from '../scale/dataset.ts'
import { describeShape, type Shape, servicesShape, shapeDataset } from '../scale/objects.ts'
import { type BenchPlace, buildPlace, ownNodes } from '../scale/place.ts'
import { findProxyTools, type ProxyTools } from './kube-proxy.ts'
import { type Moves, timeMoves } from './moving.ts'
import {
  buildSubject,
  SUBJECTS,
  type SubjectName,
  type SubjectNode,
  startProxyOf,
  TARGETS,
  targetAddress,
  targetObjects,
  weirReady,
} from './subjects.ts'

export interface ServicesOptions {
  /** Numbers of Services, one after another. */
  readonly sizes: readonly number[]
  readonly rounds: number
  readonly sampleMs: number
  /** Slices changed per second during churn, which is measured where there are 1000 or more. */
  readonly churn: number
  readonly churnSeconds: number
  readonly moves: number
  /** Of a proxy's first sync, and of its moves: what takes longer is said and left out. */
  readonly limitMs: number
  readonly say: (line: string) => void
}

/** A figure of one subject with so many Services. */
export interface ServicesFigure {
  readonly services: number
  readonly subject: SubjectName
  readonly name: string
  readonly unit: string
  readonly value: number
}

type Put = (subject: SubjectName, name: string, unit: string, value: number) => void

export async function runServices(options: ServicesOptions): Promise<ServicesFigure[]> {
  const tools = await findProxyTools(options.say)
  const figures: ServicesFigure[] = []
  for (const services of options.sizes) {
    const put: Put = (subject, name, unit, value) => {
      figures.push({ services, subject, name, unit, value })
      // A long run that ends badly has said what it knew.
      options.say(`  ${subject} ${name} ${value.toPrecision(4)} ${unit}`)
    }
    const place = await buildPlace(SUBJECTS.length, options.say)
    try {
      await measureSize(place, tools, servicesShape(services), options, put)
    } finally {
      await place.close()
    }
  }
  return figures
}

async function measureSize(
  place: BenchPlace,
  tools: ProxyTools,
  shape: Shape,
  options: ServicesOptions,
  put: Put,
): Promise<void> {
  const { say } = options
  const subjects = await attachPods(place, tools, say)
  say(`${describeShape(shape)}: serving`)
  await serveDataset(
    place,
    shapeDataset(shape),
    [...ownNodes(place), ...subjects.flatMap(targetObjects)],
    say,
  )
  const running = new Map<SubjectNode, ProcessIdentity>()
  try {
    for (const subject of subjects) {
      for (const { pid } of running.values()) globalThis.process.kill(pid, 'SIGSTOP')
      const process = startProxyOf(place, subject.name, tools)
      running.set(subject, process)
      if (await reached(say, () => measureSync(subject, process, shape, options, put))) {
        const change = () => measureChanges(place, subject, process, shape, options, put)
        await reached(say, () => keepingAside(place.serverPids(), change))
      } else {
        running.delete(subject)
        await endProcess(process)
      }
    }
    for (const { pid } of running.values()) globalThis.process.kill(pid, 'SIGCONT')
    say('connections, round by round')
    await sleep(10_000)
    await measureConnections([...running.keys()], options, put)
  } finally {
    for (const process of running.values()) await endProcess(process)
  }
}

/** False when the work took longer than it may. */
async function reached(say: (line: string) => void, work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (!(error instanceof Unreached)) throw error
    say(error.message)
    return false
  }
}

/** While there are no Services: the pods of Weir's node are attached by an agent. */
async function attachPods(
  place: BenchPlace,
  tools: ProxyTools,
  say: (line: string) => void,
): Promise<SubjectNode[]> {
  await serveDataset(place, shapeDataset(servicesShape(0)), ownNodes(place), say)
  const agent = startProxyOf(place, 'weir', tools)
  await weirReady(place.nodes[0] as NodeRecord, agent)
  const subjects: SubjectNode[] = []
  for (const name of SUBJECTS) subjects.push(await buildSubject(place, name))
  await endProcess(agent, 10_000)
  return subjects
}

/** From the start of the process to the first connection, and to the last Service. */
async function measureSync(
  { name, node, client }: SubjectNode,
  { pid }: ProcessIdentity,
  shape: Shape,
  { limitMs, say }: ServicesOptions,
  put: Put,
): Promise<void> {
  say(`${name}: from cold`)
  const weir = name === 'weir'
  const startedAt = performance.now()
  const argv = [builtProgram('weir-netbench'), 'rr', targetAddress(name, TARGETS - 1), '7000', '1']
  const [file, args] = placedCommand(client, argv)
  // Tables of kube-proxy change as a whole; Weir's map fills, so its last entry counts.
  const whole = async () => !weir || countFrontends(node) >= shape.services
  for (;;) {
    if ((await whole()) && (await runAnyway(file, args, { timeoutMs: 2000 })).code === 0) break
    if (performance.now() - startedAt > limitMs) {
      throw new Unreached(`Cannot measure ${name}: not in sync after ${limitMs / 1000} s`)
    }
    await sleep(20)
  }
  put(name, 'sync', 's', (performance.now() - startedAt) / 1000)
  put(name, 'sync.cpu', 's', cpuSeconds(pid))
  await sleep(5000)
  put(name, 'resident', 'MiB', statusMib(pid, 'VmRSS'))
}

async function measureChanges(
  place: BenchPlace,
  subject: SubjectNode,
  { pid }: ProcessIdentity,
  shape: Shape,
  options: ServicesOptions,
  put: Put,
): Promise<void> {
  const { say, moves, limitMs, churnSeconds } = options
  const { name } = subject
  const report = (when: string, { answered, followed }: Moves) => {
    put(name, `${when}.change-to-answer.p50`, 'ms', quantile(answered, 0.5))
    put(name, `${when}.change-to-packet.p50`, 'ms', quantile(followed, 0.5))
    put(name, `${when}.change-to-packet.p99`, 'ms', quantile(followed, 0.99))
  }
  say(`${name}: ${moves} changes`)
  report('quiet', await timeMoves(place.client, subject, moves, limitMs))
  if (shape.services < 1000) return
  say(`${name}: ${options.churn} changes a second`)
  const churn = startChurn(place.client, shape, options.churn)
  try {
    const [before, startedAt] = [cpuSeconds(pid), performance.now()]
    await sleep(churnSeconds * 1000)
    const seconds = (performance.now() - startedAt) / 1000
    put(name, 'churn.cpu', '% of a CPU', ((cpuSeconds(pid) - before) / seconds) * 100)
    const count = Math.ceil(moves / 2)
    report('churn', await timeMoves(place.client, subject, count, limitMs))
  } finally {
    await churn.stop()
  }
}

/** Every subject and its own direct path once a round; ratios are taken inside a round. */
async function measureConnections(
  subjects: readonly SubjectNode[],
  { rounds, sampleMs, say }: ServicesOptions,
  put: Put,
): Promise<void> {
  const binary = builtProgram('weir-netbench')
  const samples = new Map<SubjectName, Record<'connect' | 'direct' | 'ratio' | 'perS', number[]>>()
  for (const { name } of subjects) {
    samples.set(name, { connect: [], direct: [], ratio: [], perS: [] })
  }
  for (let round = 0; round < rounds; round++) {
    say(`connections, round ${round + 1} of ${rounds}`)
    const turned = [...subjects, ...subjects].slice(round % 3, (round % 3) + subjects.length)
    for (const { name, client, server } of turned) {
      const direct: Path = { client, address: server.address }
      const service: Path = { client, address: targetAddress(name, round % TARGETS) }
      const before = await sampleConnections(binary, direct, sampleMs)
      const { connectUs, perS } = await sampleConnections(binary, service, sampleMs)
      const of = samples.get(name)
      of?.connect.push(connectUs)
      of?.direct.push(before.connectUs)
      of?.ratio.push(connectUs / before.connectUs)
      of?.perS.push(perS)
    }
  }
  for (const [name, { connect, direct, ratio, perS }] of samples) {
    put(name, 'connect', 'us', quantile(connect, 0.5))
    put(name, 'connect.direct', 'us', quantile(direct, 0.5))
    put(name, 'connect.ratio', 'x', quantile(ratio, 0.5))
    put(name, 'connections', '1/s', quantile(perS, 0.5))
  }
}
