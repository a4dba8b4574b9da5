// Builds the cluster: what it needs from the cache, the underlay, the control plane, nodes, and
// Weir from deploy/. What fails halfway is taken down again, its logs told.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '../lab/processes.ts'
import { buildKubernetes, buildOther, COREDNS, ETCD } from './build.ts'
import { startControlPlane } from './control-plane.ts'
import { deployDns, deployWeir } from './deploy.ts'
import { down } from './down.ts'
import { makeFabric, routePods } from './fabric.ts'
import { buildImages } from './images.ts'
import { kubectl } from './kubectl.ts'
import { deployMultus } from './multus.ts'
import { startNode } from './node.ts'
import { NODE_PACKAGES, unpackPackages } from './packages.ts'
import { cacheDirectory, clusterPaths } from './paths.ts'
import { makePki } from './pki.ts'
import { type ClusterRecord, type NodeRecord, writeRecord } from './record.ts'
import { findLack } from './requirements.ts'
import { planNodes } from './spec.ts'

export interface UpOptions {
  readonly nodes: number
  /** Without it the nodes stay NotReady. */
  readonly withWeir: boolean
  /** Around Weir, for further networks of pods. */
  readonly withMultus?: boolean
  /** Leave what was built when something fails, to look at it. */
  readonly keep: boolean
  readonly say: (line: string) => void
}

/** Resolves once the nodes are registered and, with Weir, ready. */
export async function up(options: UpOptions): Promise<ClusterRecord> {
  const { say } = options
  const paths = clusterPaths()
  const lack = await findLack()
  if (lack !== undefined) throw new Error(`Cannot build a cluster: ${lack}`)
  const plans = planNodes(options.nodes)
  const cache = cacheDirectory()
  const bin = await buildKubernetes(cache, say)
  const etcd = await buildOther(cache, say, ETCD)
  const coredns = await buildOther(cache, say, COREDNS)
  const debian = await unpackPackages(cache, NODE_PACKAGES)
  mkdirSync(paths.directory, { recursive: true, mode: 0o700 })
  try {
    say('Building images')
    await buildImages(cache, paths.images, coredns, say)
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
      if (options.withMultus) {
        say('Deploying Multus')
        await deployMultus(record, say)
      }
    }
    return record
  } catch (error) {
    if (!options.keep) await down()
    throw error
  }
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
