// `weir bench nodeport`: what a packet from outside to a node port costs the node asked, with Weir
// in XDP and in tc, with kube-proxy in iptables and nftables mode. The sender has one CPU, the node
// and the sinks another. Every way is sampled once a round.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fabricNetns } from '../../lab/fabric.ts'
import { ipBatch } from '../../lab/namespaces.ts'
import { labPaths, netnsPath } from '../../lab/paths.ts'
import { endProcess } from '../../lab/processes.ts'
import { runAnyway } from '../../lab/run.ts'
import { parseMac } from '../../net/mac.ts'
import { quantile } from '../measure.ts'
import { measurePrograms } from '../programs.ts'
import type { Figure } from '../report.ts'
import { inParallel } from '../scale/api-client.ts'
import { serveDataset } from '../scale/dataset.ts'
import { servicesShape, shapeDataset } from '../scale/objects.ts'
import { type BenchPlace, buildPlace, ownNodes, PLACE } from '../scale/place.ts'
import { findProxyTools, type ProxyTools, runTool } from '../services/kube-proxy.ts'
import { casesOf, type NodePortCase } from './cases.ts'
import { deviceOf, NODE_CPU, VolleyPrograms } from './hooks.ts'
import { exposedObjects, FAR_NODE, farNode, localService, remoteServices } from './objects.ts'
import { buildSubject, KINDS, type Subject } from './subjects.ts'
import { FILE, type Order, type Sample } from './volley.ts'

export interface NodePortOptions {
  /** Services beside those that are measured. */
  readonly services: number
  readonly rounds: number
  readonly sampleMs: number
  readonly say: (line: string) => void
}

/** CPU of the sender. */
const SENDER_CPU = '0'
const SERVED_LIMIT_MS = 300_000

interface Scene {
  readonly place: BenchPlace
  readonly tools: ProxyTools
  readonly pins: string
  readonly subjects: readonly Subject[]
}

export async function runNodePort(options: NodePortOptions): Promise<Figure[]> {
  const { say } = options
  const tools = await findProxyTools(say)
  const place = await buildPlace(KINDS.length, say, { ipv6: true })
  const subjects: Subject[] = []
  try {
    using programs = await VolleyPrograms.load(join(labPaths(PLACE).directory, 'volley'))
    const nodes = [...ownNodes(place), farNode()]
    const dataset = shapeDataset(servicesShape(options.services))
    await serveDataset(place, dataset, nodes, say)
    await pretendFarNode()
    for (const kind of KINDS) {
      say(`${kind}: building`)
      subjects.push(await buildSubject(place, kind, tools, programs))
    }
    await exposeAll(place, subjects)
    const scene = { place, tools, pins: programs.pins, subjects }
    const figures = await measure(scene, options)
    say('programs, one packet at a time')
    return [...figures, ...(await programFigures())]
  } finally {
    for (const { process } of subjects) if (process) await endProcess(process)
    await place.close()
  }
}

/** The switch answers for its addresses. */
async function pretendFarNode(): Promise<void> {
  const lines = FAR_NODE.addresses.map((address) => {
    const prefix = address.includes(':') ? `${address}/64` : `${address}/24`
    return `address add ${prefix} dev weir_on_link${address.includes(':') ? ' nodad' : ''}`
  })
  await ipBatch(fabricNetns(PLACE), lines)
}

async function exposeAll({ client }: BenchPlace, subjects: readonly Subject[]): Promise<void> {
  const local = subjects.flatMap(({ node, pod }, index) =>
    pod ? [localService(index, node.name, pod.addresses)] : [],
  )
  const objects = [...remoteServices(), ...local].flatMap(exposedObjects)
  await inParallel(objects, ({ path, object }) => client.ask('POST', path, object), 8)
}

/** Packets per second and the CPU time of one, for every case. */
async function measure(scene: Scene, options: NodePortOptions): Promise<Figure[]> {
  const { say, rounds } = options
  const routerMac = parseMac(String(deviceOf(fabricNetns(PLACE), 'weir_on_link').mac))
  const cases = scene.subjects.flatMap(({ kind, node }, index) => {
    const mac = parseMac(String(deviceOf(node.netns, 'eth0').mac))
    return casesOf({ kind, mac, addresses: node.addresses }, index, routerMac)
  })
  const samples = new Map<NodePortCase, Sample[]>(cases.map((each) => [each, []]))
  for (const each of cases) {
    say(`${each.column}: ${each.line}`)
    await untilServed(scene, each)
  }
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`)
    const start = Math.floor((round * cases.length) / rounds)
    for (const each of [...cases.slice(start), ...cases.slice(0, start)]) {
      samples.get(each)?.push(await sample(scene, each, options.sampleMs))
    }
  }
  return figuresOf(samples)
}

function figuresOf(samples: ReadonlyMap<NodePortCase, readonly Sample[]>): Figure[] {
  const lines = Map.groupBy(samples, ([{ line }]) => line)
  return [...lines].flatMap(([line, ways]) => {
    const figures = (name: string, unit: string, value: (of: Sample) => number): Figure[] =>
      ways.map(([{ column }, taken]) => ({
        ...{ name: `${line}.${name}`, unit, column },
        value: quantile(taken.map(value), 0.5),
      }))
    return [
      ...figures('ns', 'ns', ({ workNs, arrived }) => workNs / arrived),
      ...figures('packets', '1/s', ({ arrived, durationNs }) => (arrived / durationNs) * 1e9),
    ]
  })
}

/** The first connections may have to wait for an agent or a proxy. */
async function untilServed(scene: Scene, each: NodePortCase): Promise<void> {
  const until = performance.now() + SERVED_LIMIT_MS
  for (;;) {
    try {
      await sample(scene, each, 0)
      return
    } catch (error) {
      if (performance.now() > until) throw error
      await sleep(1000)
    }
  }
}

async function sample(scene: Scene, each: NodePortCase, durationMs: number): Promise<Sample> {
  const subject = scene.subjects.find(({ kind }) => kind === each.kind) as Subject
  // Of SYNs before: its table has room for a sample of them.
  if (each.kind === 'iptables' || each.kind === 'nftables') {
    await runTool(scene.tools, subject.node, ['conntrack', '-F'])
  }
  const { opening, load } = each
  const threads = [subject.thread, softIrqThread()]
  const order: Order = {
    ...{ pins: scene.pins, ifindex: subject.ifindex, opening, load, durationMs, threads },
  }
  const placed = ['chrt', '--fifo', '1', 'taskset', '-c', SENDER_CPU]
  const command = [...placed, process.execPath, FILE, JSON.stringify(order)]
  const inside = [`--net=${netnsPath(fabricNetns(PLACE))}`, ...command]
  const { code, stdout, stderr } = await runAnyway('nsenter', inside)
  if (code === 0) return JSON.parse(stdout) as Sample
  const said = stderr.split('\n').find((text) => text.includes('Cannot')) ?? stderr
  throw new Error(`Cannot measure ${each.line} of ${each.column}: ${said.trim()}`)
}

/** It takes over on the node's CPU what the node's own thread would take too long for. */
function softIrqThread(): number {
  const wanted = `ksoftirqd/${NODE_CPU}\n`
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const found = pids.find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') === wanted
    } catch {
      // Ended since it was listed.
      return false
    }
  })
  if (found === undefined) throw new Error(`Cannot measure: no thread ${wanted.trim()}`)
  return Number(found)
}

/** Weir's programs alone, beyond what an empty one takes. */
async function programFigures(): Promise<Figure[]> {
  const columns = { xdp_uplink: 'weir-xdp', from_uplink: 'weir-tc' }
  const rows = await measurePrograms()
  return rows.flatMap(({ name, value, referenceValue }) => {
    const [, program, , family] = /^program\.(.*)\.(node-port)-(.*)\.ns$/.exec(name) ?? []
    const column = columns[program as keyof typeof columns]
    if (column === undefined) return []
    const line = `${family}.program-alone.ns`
    return [{ name: line, unit: 'ns', column, value: value - referenceValue }]
  })
}
