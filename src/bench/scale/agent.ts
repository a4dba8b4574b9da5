// One agent under observation: when it has read everything and when the maps hold it, its memory
// and its CPU time. It is watched from outside, so that watching costs it next to nothing.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KernelMap } from '../../datapath/entry-map.ts'
import * as layout from '../../datapath/layout.gen.ts'
import { askAgent } from '../../lab/agent-api.ts'
import { AGENT_HTTP, launchAgent, waitForAgent } from '../../lab/agents.ts'
import { netnsPath } from '../../lab/paths.ts'
import { endProcess, type ProcessIdentity } from '../../lab/processes.ts'
import type { NodeRecord } from '../../lab/record.ts'
import { runAnyway } from '../../lab/run.ts'
import { DEFAULT_SETTINGS } from '../../lab/spec.ts'
import { openLibrary } from '../../libbpf/library.ts'
import { BpfMap } from '../../libbpf/map.ts'

export interface Memory {
  /** Resident, all of it. */
  readonly residentMib: number
  /** Resident and its own: without the Node binary and libraries. */
  readonly anonymousMib: number
  readonly heapMib: number
}

export interface AgentUnderTest {
  readonly node: NodeRecord
  readonly process: ProcessIdentity
  memory(): Promise<Memory>
  stop(): Promise<void>
}

/** Starts an agent on a source; it need not be ready yet. */
export function startMeasured(
  node: NodeRecord,
  source: Readonly<Record<string, string>>,
  nodeFlags: readonly string[] = [],
): AgentUnderTest {
  const identity = launchAgent(node, DEFAULT_SETTINGS, source, nodeFlags)
  return {
    node: { ...node, agent: identity },
    process: identity,
    memory: () => readMemory(node, identity.pid),
    stop: () => endProcess(identity, 10_000),
  }
}

/** Resolves once the agent takes pods. */
export function ready({ node }: AgentUnderTest): Promise<void> {
  return waitForAgent(node)
}

/** CPU seconds that a process and the children it has waited for have used. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // utime, stime, cutime, cstime, in clock ticks of 10 ms.
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / 100
}

async function readMemory({ netns }: NodeRecord, pid: number): Promise<Memory> {
  const url = `http://${AGENT_HTTP.host}:${AGENT_HTTP.port}/metrics`
  const curl = [`--net=${netnsPath(netns)}`, 'curl', '-s', url]
  const residentMib = statusMib(pid, 'VmRSS')
  const anonymousMib = statusMib(pid, 'RssAnon')
  const { stdout } = await runAnyway('nsenter', curl)
  const heap = /^weir_nodejs_heap_size_used_bytes (\S+)/m.exec(stdout)?.[1]
  return { residentMib, anonymousMib, heapMib: Number(heap) / 2 ** 20 }
}

/** "VmRSS", "VmHWM" and the like of /proc/PID/status. */
export function statusMib(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024
}

interface TableCount {
  readonly name: string
  readonly rows: number
  readonly initialized: boolean
}

/** Rows by table, once every table that a source fills has had its first list. */
export async function syncedRows({
  node,
}: AgentUnderTest): Promise<Map<string, number> | undefined> {
  try {
    const tables = (await askAgent(node.socket, '/v1/tables')) as TableCount[]
    const filled = ['nodes', 'namespaces', 'pods', 'services', 'endpointSlices']
    const waiting = tables.some(({ name, initialized }) => filled.includes(name) && !initialized)
    return waiting ? undefined : new Map(tables.map(({ name, rows }) => [name, rows]))
  } catch {
    // It does not listen yet, or is busy.
    return undefined
  }
}

/** Frontends that the kernel holds; 0 before there is a map. */
export function countFrontends(node: NodeRecord): number {
  try {
    using map = BpfMap.openPinned(openLibrary(), join(node.bpfRoot, 'maps', 'services'))
    let count = 0
    for (const _ of new KernelMap(map, layout.maps.services).keys()) count++
    return count
  } catch {
    return 0
  }
}

/** Empties the maps of Services that an agent before has left, so that the next begins cold. */
export function clearServices(node: NodeRecord): void {
  for (const name of ['services', 'backends'] as const) {
    using map = BpfMap.openPinned(openLibrary(), join(node.bpfRoot, 'maps', name))
    map.deleteMany([...map.entries()].map(([key]) => key))
  }
}

/** Milliseconds since `startedAt` until the agent has read all, and until the maps hold it. */
export async function timeSync(
  agent: AgentUnderTest,
  startedAt: number,
  frontends: number,
): Promise<{ syncedMs: number; mapsMs: number; rows: ReadonlyMap<string, number> }> {
  let syncedMs: number | undefined
  let mapsMs: number | undefined
  let rows: ReadonlyMap<string, number> = new Map()
  while (syncedMs === undefined || mapsMs === undefined) {
    const now = performance.now() - startedAt
    if (now > 180_000) throw new Error(`Cannot measure: not synced after ${now / 1000} s`)
    if (syncedMs === undefined) {
      const read = await syncedRows(agent)
      if (read) [syncedMs, rows] = [performance.now() - startedAt, read]
    }
    if (mapsMs === undefined && countFrontends(agent.node) >= frontends) {
      mapsMs = performance.now() - startedAt
    }
    await sleep(50)
  }
  return { syncedMs, mapsMs, rows }
}
