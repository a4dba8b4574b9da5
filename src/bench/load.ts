// The load: weir-netbench in two namespaces. Client and server share one CPU, so that a figure is
// the work on the path and not the time a virtual CPU takes to wake up.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** CPU that client and server are pinned to. */
const CPU = '1'
const PORT = 7000

/** Where a process runs: a network namespace, and a cgroup when the socket hooks shall see it. */
export interface Place {
  /** Path of the network namespace. */
  readonly netns: string
  readonly cgroup?: string
  /** Real-time: ahead of whatever else the machine does. */
  readonly realTime?: boolean
}

/** From one place to an address that a server at another place answers on. */
export interface Path {
  readonly client: Place
  readonly address: string
  readonly port?: number
}

export type Load = 'rr' | 'stream' | 'crr'

/** What each load yields, as the last part of a row's name, and its unit. */
export const LOADS = {
  rr: { name: 'tcp-rr.latency-us', unit: 'us' },
  stream: { name: 'tcp-stream.gbps', unit: 'Gbit/s' },
  crr: { name: 'tcp-crr.per-s', unit: '1/s' },
} as const

/** The command line that becomes `argv` at the place, on the bench's CPU. */
export function placedCommand(place: Place, argv: readonly string[]): [string, string[]] {
  const ahead = place.realTime ? ['chrt', '--fifo', '1'] : []
  const inside = ['nsenter', `--net=${place.netns}`, 'taskset', '-c', CPU, ...ahead, ...argv]
  if (place.cgroup === undefined) return ['nsenter', inside.slice(1)]
  const join = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
  return ['sh', ['-c', join, place.cgroup, ...inside]]
}

/** Starts a server at the place on the address; resolves once it accepts. Kill it to stop. */
export async function startServer(
  binary: string,
  place: Place,
  address: string,
  port = PORT,
): Promise<ChildProcess> {
  const [file, args] = placedCommand(place, [binary, 'server', address, String(port)])
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (text: Buffer) => {
    complaint += text.toString()
  })
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) break
    const probe = run(...placedCommand(place, [binary, 'rr', address, String(port), '1']))
    if (
      await probe.then(
        () => true,
        () => false,
      )
    )
      return child
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  child.kill('SIGKILL')
  throw new Error(`Cannot start the bench server on ${address}: ${complaint || 'no answer'}`)
}

/** Connections per second and the median time of connect() alone, from one sample. */
export async function sampleConnections(
  binary: string,
  path: Path,
  durationMs: number,
): Promise<{ perS: number; connectUs: number }> {
  const result = await runLoad(binary, 'crr', path, durationMs)
  const { perS, connectP50Us } = result
  if (perS === undefined || connectP50Us === undefined) {
    throw new Error(`Cannot read the bench result: ${JSON.stringify(result)}`)
  }
  return { perS, connectUs: connectP50Us }
}

/** One sample: microseconds (p50), Gbit/s or connections per second. */
export async function sampleLoad(
  binary: string,
  load: Load,
  path: Path,
  durationMs: number,
): Promise<number> {
  const result = await runLoad(binary, load, path, durationMs)
  const value = load === 'rr' ? result.p50Us : load === 'crr' ? result.perS : result.gbps
  if (value === undefined) {
    throw new Error(`Cannot read the bench result: ${JSON.stringify(result)}`)
  }
  return value
}

interface LoadResult {
  readonly p50Us?: number
  readonly connectP50Us?: number
  readonly gbps?: number
  readonly perS?: number
}

async function runLoad(
  binary: string,
  load: Load,
  path: Path,
  durationMs: number,
): Promise<LoadResult> {
  const argv = [binary, load, path.address, String(path.port ?? PORT), String(durationMs)]
  const { stdout } = await run(...placedCommand(path.client, argv), {
    timeout: durationMs + 20_000,
  })
  return JSON.parse(stdout) as LoadResult
}
