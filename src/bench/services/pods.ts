// Pods of the comparison: on Weir's node attached by weir-cni, on kube-proxy's by a veth and two
// routes, as the `ptp` plugin does. Each node has one client and one pod that serves.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { makeCgroup } from '../../lab/cgroups.ts'
import { cniAdd } from '../../lab/cni.ts'
import { ipBatch, makeNetns } from '../../lab/namespaces.ts'
import { labPaths, netnsPath } from '../../lab/paths.ts'
import type { NodeRecord } from '../../lab/record.ts'
import type { Place } from '../load.ts'
import { PLACE } from '../scale/place.ts'

export interface BenchPod extends Place {
  readonly address: string
}

/** A pod attached by the node's agent. */
export async function attachByWeir(node: NodeRecord, name: string): Promise<BenchPod> {
  const netns = await newNamespace(node, name)
  const uid = randomUUID()
  const containerId = uid.replaceAll('-', '').padEnd(64, '0')
  const pod = { namespace: 'default', name, uid, containerId, netns, annotations: {}, ports: [] }
  const [address] = await cniAdd(node, pod)
  if (address === undefined) throw new Error(`Cannot attach ${name}: it got no address`)
  return { netns: netnsPath(netns), cgroup: podCgroup(node, name), address }
}

/** A pod behind a veth, the `number`th of its node. */
export async function attachByRoutes(
  node: NodeRecord,
  name: string,
  number: number,
): Promise<BenchPod> {
  const netns = await newNamespace(node, name)
  const network = (node.podCidrs[0] ?? '').replace(/\.0\/.*/, '')
  const [gateway, address] = [`${network}.1`, `${network}.${10 + number}`]
  const device = `pod${number}`
  await ipBatch(node.netns, [
    `link add ${device} type veth peer name eth0 netns ${netns}`,
    `link set ${device} up`,
    `address add ${gateway}/32 dev ${device}`,
    `route add ${address}/32 dev ${device}`,
  ])
  await ipBatch(netns, [
    ...['link set lo up', 'link set eth0 up', `address add ${address}/32 dev eth0`],
    ...[`route add ${gateway} dev eth0 scope link`, `route add default via ${gateway}`],
  ])
  return { netns: netnsPath(netns), cgroup: podCgroup(node, name), address }
}

async function newNamespace(node: NodeRecord, name: string): Promise<string> {
  const netns = `${node.netns}-${name}`
  await makeNetns(labPaths(PLACE), netns)
  return netns
}

function podCgroup(node: NodeRecord, name: string): string {
  const path = join(node.cgroup, 'pods', name)
  makeCgroup(path)
  return path
}
