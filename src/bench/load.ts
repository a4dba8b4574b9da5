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

function command(place: Place, argv: readonly string[]): [string, string[]] {
  const inside = ['nsenter', `--net=${place.netns}`, 'taskset', '-c', CPU, ...argv]
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
  const [file, args] = command(place, [binary, 'server', address, String(port)])
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (text: Buffer) => {
    complaint += text.toString()
  })
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) break
    const probe = run(...command(place, [binary, 'rr', address, String(port), '1']))
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

/** One sample: microseconds (p50), Gbit/s or connections per second. */
export async function sampleLoad(
  binary: string,
  load: Load,
  path: Path,
  durationMs: number,
): Promise<number> {
  const argv = [binary, load, path.address, String(path.port ?? PORT), String(durationMs)]
  const { stdout } = await run(...command(path.client, argv), { timeout: durationMs + 20_000 })
  const result = JSON.parse(stdout) as { p50Us?: number; gbps?: number; perS?: number }
  const value = load === 'rr' ? result.p50Us : load === 'crr' ? result.perS : result.gbps
  if (value === undefined) throw new Error(`Cannot read the bench result: ${stdout}`)
  return value
}
