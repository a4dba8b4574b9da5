// CNI ADD and DEL as a runtime does them: one process per call, wall time of the process.
import { spawn } from 'node:child_process'
import { performance } from 'node:perf_hooks'

/** A CNI plugin as a runtime would call it, inside the node's network namespace. */
export interface Plugin {
  readonly binary: string
  /** Directory for delegated plugins (CNI_PATH). */
  readonly path: string
  readonly nodeNetns: string
  /** Network configuration for stdin. */
  readonly config: object
}

/** Wall times in ms of one batch of pods. */
export interface CniTimes {
  readonly addMs: readonly number[]
  readonly delMs: readonly number[]
}

/**
 * ADDs and then DELs one attachment per given namespace, `parallel` at a time.
 * @param pods paths of existing, empty network namespaces
 */
export async function timeCni(
  plugin: Plugin,
  pods: readonly string[],
  parallel: number,
): Promise<CniTimes> {
  const run = (verb: string) => (netns: string, index: number) => call(plugin, verb, netns, index)
  const addMs = await eachOf(pods, parallel, run('ADD'))
  const delMs = await eachOf(pods, parallel, run('DEL'))
  return { addMs, delMs }
}

async function eachOf(
  pods: readonly string[],
  parallel: number,
  work: (netns: string, index: number) => Promise<number>,
): Promise<number[]> {
  const times: number[] = []
  for (let at = 0; at < pods.length; at += parallel) {
    const batch = pods.slice(at, at + parallel)
    times.push(...(await Promise.all(batch.map((netns, index) => work(netns, at + index)))))
  }
  return times
}

async function call(plugin: Plugin, verb: string, netns: string, index: number): Promise<number> {
  const startedAt = performance.now()
  const child = spawn('nsenter', [`--net=${plugin.nodeNetns}`, plugin.binary], {
    env: {
      PATH: process.env['PATH'],
      CNI_COMMAND: verb,
      CNI_CONTAINERID: `weir-bench-${index}`,
      CNI_NETNS: netns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: plugin.path,
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=pod-${index}`,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString()
  })
  child.stdin.end(JSON.stringify(plugin.config))
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`Cannot ${verb} pod ${index} by ${plugin.binary}: ${output}`)
  return performance.now() - startedAt
}
