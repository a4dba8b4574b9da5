// A node goes and comes again, as at a reboot: all its processes, namespaces and mounts end, and
// with them everything in its kernel; its disks stay. Drained before, given back after.
import { removeCgroup } from '../lab/cgroups.ts'
import { waitUntil } from '../lab/processes.ts'
import { cgroupsOf } from './daemons.ts'
import { kubectl } from './kubectl.ts'
import { startNode } from './node.ts'
import { NODE_PACKAGES, unpackPackages } from './packages.ts'
import { cacheDirectory, clusterPaths } from './paths.ts'
import { type ClusterRecord, type NodeRecord, readRecord, writeRecord } from './record.ts'

const WAIT_MS = 180_000

/** Resolves once the node is Ready again and takes pods. */
export async function rebootNode(name: string, say: (line: string) => void): Promise<void> {
  const paths = clusterPaths()
  const record = readRecord(paths.record)
  const node = record.nodes.find((each) => each.name === name)
  if (!node) throw new Error(`Cannot reboot ${name}: there is no such node`)
  say(`Draining ${name}`)
  const drain = ['drain', name, '--ignore-daemonsets', '--delete-emptydir-data', '--force']
  await kubectl(record, [...drain, '--timeout=120s'], undefined, WAIT_MS)
  say(`Ending ${name}`)
  for (const cgroup of cgroupsOf(name, { isNode: true })) await removeCgroup(cgroup)
  const startedAt = new Date()
  say(`Starting ${name}`)
  const again = await restart(record, node)
  const nodes = record.nodes.map((each) => (each.name === name ? again : each))
  writeRecord(paths.record, { ...record, nodes })
  if (!(await waitUntil(() => isReadySince(record, name, startedAt), WAIT_MS, 500))) {
    throw new Error(`Cannot reboot ${name}: not Ready after ${WAIT_MS / 1000} s`)
  }
  await kubectl(record, ['uncordon', name])
}

async function restart({ fabric, bin }: ClusterRecord, node: NodeRecord): Promise<NodeRecord> {
  const debian = await unpackPackages(cacheDirectory(), NODE_PACKAGES)
  const { name, addresses, zone } = node
  return startNode({ paths: clusterPaths(), fabric, bin, debian }, { name, addresses, zone })
}

/** The kubelet has spoken since, and Weir's agent there is ready. */
async function isReadySince(record: ClusterRecord, name: string, since: Date): Promise<boolean> {
  const ready = '.status.conditions[?(@.type=="Ready")]'
  const path = `jsonpath={${ready}.status} {${ready}.lastHeartbeatTime}`
  const answer = await kubectl(record, ['get', 'node', name, '-o', path])
  const [status, heartbeat = ''] = answer.split(' ')
  if (status !== 'True' || new Date(heartbeat) < since) return false
  const field = `spec.nodeName=${name}`
  const pods = ['get', 'pods', '-n', 'weir', '-l', 'app.kubernetes.io/name=weir']
  const conditions = 'jsonpath={.items[*].status.containerStatuses[0].ready}'
  const agents = await kubectl(record, [...pods, '--field-selector', field, '-o', conditions])
  return agents.trim() === 'true'
}
