// What `weir bench` measures, group by group. Names are public: dashboards and README.md hold them.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { builtProgram, netnsPath } from '../lab/paths.ts'
import { type CniTimes, type Plugin, timeCni } from './cni.ts'
import { type BenchLab, buildBenchLab } from './labs.ts'
import { LOADS, type Load, type Path, sampleLoad, startServer } from './load.ts'
import { type BenchRow, measureInterleaved, quantile, type Subject } from './measure.ts'
import { measurePrograms } from './programs.ts'
import { buildReferences, type References } from './references.ts'

const run = promisify(execFile)

export interface BenchOptions {
  readonly rounds: number
  /** Length of one sample. */
  readonly sampleMs: number
  /** Client and server ahead of whatever else the machine does. */
  readonly realTime: boolean
  /** Pods of the CNI rows. */
  readonly pods: number
  readonly progress: (text: string) => void
}

/** Where Debian's containernetworking-plugins puts ptp and host-local. */
const REFERENCE_PLUGINS = '/usr/lib/cni'

/** Runs everything and answers the rows; takes down what it built, also on failure. */
export async function runBench(options: BenchOptions): Promise<BenchRow[]> {
  const closers: (() => Promise<void>)[] = []
  try {
    options.progress('building references and labs')
    const references = await buildReferences()
    closers.push(() => references.close())
    const vxlan = await buildBenchLab('vxlan', true, options)
    closers.push(() => vxlan.close())
    const native = await buildBenchLab('native', false, options)
    closers.push(() => native.close())
    const paths = await measurePaths({ references, vxlan, native }, options)
    const cni = await measureCni(vxlan, options)
    options.progress('programs, one packet at a time')
    return [...paths, ...cni, ...(await measurePrograms())]
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

interface Scene {
  readonly references: References
  readonly vxlan: BenchLab
  readonly native: BenchLab
}

/** Name of a path, the path, and the name of the path it is compared with. */
function pathsOf({ references, vxlan, native }: Scene): [string, Path, string?][] {
  const { veth, bridge, redirect, node, 'kernel-vxlan': kernelVxlan } = references.paths
  return [
    ['veth', veth],
    ['same-node', vxlan.near, 'veth'],
    ['bridge', bridge, 'veth'],
    ['bare-redirect', redirect, 'veth'],
    ['node-to-node', node],
    ['cross-node-vxlan', vxlan.far, 'node-to-node'],
    ['cross-node-native', native.far, 'node-to-node'],
    ['bare-redirect-native', references.paths['redirect-native'], 'node-to-node'],
    ['kernel-vxlan', kernelVxlan, 'node-to-node'],
    ['service-socket', vxlan.service, 'same-node'],
    ['pod-address', native.near],
    ['service-packet', native.service, 'pod-address'],
  ]
}

async function measurePaths(scene: Scene, options: BenchOptions): Promise<BenchRow[]> {
  const binary = builtProgram('weir-netbench')
  const servers = []
  for (const path of Object.values(scene.references.paths)) {
    const place = { ...path.server, realTime: options.realTime }
    servers.push(await startServer(binary, place, path.address))
  }
  try {
    const subjects = (Object.keys(LOADS) as Load[]).flatMap((load) =>
      pathsOf(scene).map(([name, path, reference]): Subject => {
        const suffix = LOADS[load].name
        const client = { ...path.client, realTime: options.realTime }
        return {
          name: `${name}.${suffix}`,
          unit: LOADS[load].unit,
          ...(reference === undefined ? {} : { reference: `${reference}.${suffix}` }),
          sample: () => sampleLoad(binary, load, { ...path, client }, options.sampleMs),
        }
      }),
    )
    return await measureInterleaved(subjects, options.rounds, (round) =>
      options.progress(`paths, round ${round + 1} of ${options.rounds}`),
    )
  } finally {
    for (const server of servers) server.kill('SIGKILL')
  }
}

async function measureCni(lab: BenchLab, options: BenchOptions): Promise<BenchRow[]> {
  const node = lab.record.nodes[0]
  if (!node) throw new Error('Cannot bench CNI: the lab has no node')
  const weir: Plugin = {
    binary: builtProgram('weir-cni'),
    path: dirname(builtProgram('weir-cni')),
    nodeNetns: netnsPath(node.netns),
    config: {
      ...{ cniVersion: '1.0.0', name: 'weir', type: 'weir-cni' },
      ...{ socket: node.socket, stateDir: node.stateDir },
    },
  }
  return await withEmptyPods(options.pods, async (pods) => {
    const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'))
    await run('ip', ['netns', 'add', REFERENCE_NODE])
    try {
      const reference = referencePlugin(directory)
      options.progress(`CNI ADD and DEL of ${pods.length} pods, one after another`)
      const single = await alternate(weir, reference, pods, 1)
      options.progress('CNI ADD of 30 pods at once')
      const parallel = await alternate(weir, reference, pods, 30)
      return cniRows(single, parallel)
    } finally {
      await run('ip', ['netns', 'del', REFERENCE_NODE])
      rmSync(directory, { recursive: true })
    }
  })
}

const REFERENCE_NODE = 'weir-ref-cni'

function referencePlugin(directory: string): Plugin {
  const ipam = {
    type: 'host-local',
    dataDir: directory,
    // IPv4 alone: with IPv6, ptp waits seconds for duplicate address detection.
    ranges: [[{ subnet: '10.205.0.0/22' }]],
    routes: [{ dst: '0.0.0.0/0' }],
  }
  return {
    binary: join(REFERENCE_PLUGINS, 'ptp'),
    path: REFERENCE_PLUGINS,
    nodeNetns: netnsPath(REFERENCE_NODE),
    config: { cniVersion: '1.0.0', name: 'weir-ref', type: 'ptp', ipam },
  }
}

interface Both {
  readonly weir: CniTimes
  readonly reference: CniTimes
}

/** In small alternating batches, so that both meet the same machine. */
async function alternate(
  weir: Plugin,
  reference: Plugin,
  pods: readonly string[],
  parallel: number,
): Promise<Both> {
  const both = { weir: empty(), reference: empty() }
  const size = Math.max(10, parallel)
  for (let at = 0; at < pods.length; at += size) {
    const batch = pods.slice(at, at + size)
    append(both.weir, await timeCni(weir, batch, parallel))
    append(both.reference, await timeCni(reference, batch, parallel))
  }
  return both
}

function empty() {
  return { addMs: [] as number[], delMs: [] as number[] }
}

function append(to: ReturnType<typeof empty>, times: CniTimes): void {
  to.addMs.push(...times.addMs)
  to.delMs.push(...times.delMs)
}

function cniRows(single: Both, parallel: Both): BenchRow[] {
  const row = (name: string, both: Both, kind: keyof CniTimes, q: number): BenchRow => {
    const value = quantile(both.weir[kind], q)
    const referenceValue = quantile(both.reference[kind], q)
    const reference = 'ptp + host-local'
    return { name, value, unit: 'ms', reference, referenceValue, ratio: value / referenceValue }
  }
  return [
    row('cni.add.p50-ms', single, 'addMs', 0.5),
    row('cni.add.p99-ms', single, 'addMs', 0.99),
    row('cni.del.p50-ms', single, 'delMs', 0.5),
    row('cni.add-30-parallel.p50-ms', parallel, 'addMs', 0.5),
  ]
}

/** Namespaces as a runtime hands them over: new, with nothing but lo. */
async function withEmptyPods<T>(
  count: number,
  work: (netns: readonly string[]) => Promise<T>,
): Promise<T> {
  const names = Array.from({ length: count }, (_, index) => `weir-bench-pod-${index}`)
  try {
    for (const name of names) await run('ip', ['netns', 'add', name])
    return await work(names.map(netnsPath))
  } finally {
    for (const name of names) await run('ip', ['netns', 'del', name]).catch(() => {})
  }
}
