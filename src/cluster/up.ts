// Builds the cluster: what it needs from the cache, the underlay, the control plane, nodes, and
// Weir from deploy/. What fails halfway is taken down again, its logs told.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { listMounts } from '../lab/mounts.ts'
import { waitUntil } from '../lab/processes.ts'
import { buildKubernetes, buildOther, COREDNS, ETCD } from './build.ts'
import { startControlPlane } from './control-plane.ts'
import { deployDns, deployWeir } from './deploy.ts'
import { down } from './down.ts'
import { makeFabric, routePods } from './fabric.ts'
import { packImages } from './images.ts'
import { kubectl } from './kubectl.ts'
import { startNode } from './node.ts'
import { NODE_PACKAGES, unpackPackages } from './packages.ts'
import { CONTROLLERS, cacheDirectory, clusterPaths } from './paths.ts'
import { makePki } from './pki.ts'
import { type ClusterRecord, type NodeRecord, writeRecord } from './record.ts'
import { planNodes } from './spec.ts'

export interface UpOptions {
  readonly nodes: number
  /** Without it the nodes stay NotReady. */
  readonly withWeir: boolean
  /** Leave what was built when something fails, to look at it. */
  readonly keep: boolean
  readonly say: (line: string) => void
}

/** Resolves once the nodes are registered and, with Weir, ready. */
export async function up(options: UpOptions): Promise<ClusterRecord> {
  const { say } = options
  const paths = clusterPaths()
  if (process.getuid?.() !== 0) throw new Error('Cannot build a cluster: it needs root')
  if (existsSync(paths.directory)) {
    throw new Error('Cannot build a cluster: there is one (weir cluster down)')
  }
  checkControllers()
  const plans = planNodes(options.nodes)
  const cache = cacheDirectory()
  const bin = await buildKubernetes(cache, say)
  const etcd = await buildOther(cache, say, ETCD)
  const coredns = await buildOther(cache, say, COREDNS)
  const debian = await unpackPackages(cache, NODE_PACKAGES)
  mkdirSync(paths.directory, { recursive: true, mode: 0o700 })
  try {
    say('Packing images')
    await packImages(cache, paths.images, coredns)
    await makePki(
      paths.pki,
      plans.map(({ name }) => name),
    )
    const fabric = await makeFabric(paths.logs)
    say('Starting the control plane')
    await startControlPlane({ fabric, paths, bin, etcd })
    say(`Starting ${plans.map(({ name }) => name).join(', ')}`)
    const nodes: NodeRecord[] = []
    for (const plan of plans) nodes.push(await startNode({ paths, fabric, bin, debian }, plan))
    const record = { fabric, bin, nodes }
    writeRecord(paths.record, record)
    await waitForNodes(record, 'registered')
    await routePods(record)
    if (options.withWeir) {
      say('Deploying Weir')
      await deployWeir(record)
      await waitForNodes(record, 'ready')
      say('Deploying CoreDNS')
      await deployDns(record)
    }
    return record
  } catch (error) {
    if (!options.keep) await down()
    throw error
  }
}

/** On a machine with version 2 alone these directories would be cgroups of version 2. */
function checkControllers(): void {
  const mounts = listMounts().filter(({ type }) => type === 'cgroup')
  const missing = CONTROLLERS.filter((each) => {
    return !mounts.some(({ target }) => target === `/sys/fs/cgroup/${each}`)
  })
  if (missing.length === 0) return
  const list = missing.join(', ')
  throw new Error(`Cannot build a cluster: cgroup version 1 is not mounted for ${list}`)
}

async function waitForNodes(record: ClusterRecord, state: 'registered' | 'ready'): Promise<void> {
  const path = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
  const reached = await waitUntil(
    async () => {
      const text = await kubectl(record, ['get', 'nodes', '-o', `jsonpath=${path}`])
      const states = text.trim().split('\n')
      const good = states.filter((each) => (state === 'ready' ? each === 'True' : each !== ''))
      return good.length === record.nodes.length
    },
    180_000,
    500,
  )
  if (reached) return
  const nodes = await kubectl(record, ['get', 'nodes', '-o', 'wide'])
  const logs = join(clusterPaths().directory, 'logs')
  throw new Error(`Cannot finish the cluster: not all nodes are ${state}; see ${logs}\n${nodes}`)
}
