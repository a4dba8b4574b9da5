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
  /** One of each family of the node. */
  readonly addresses: readonly string[]
}

/** A pod attached by the node's agent, as the pod of the API server that it is. */
export async function attachByWeir(
  node: NodeRecord,
  name: string,
  of = { namespace: 'default', name, uid: randomUUID() as string },
): Promise<BenchPod> {
  const netns = await newNamespace(node, name)
  const containerId = of.uid.replaceAll('-', '').padEnd(64, '0')
  const pod = { ...of, containerId, netns, annotations: {}, ports: [] }
  const addresses = await cniAdd(node, pod)
  const [address] = addresses
  if (address === undefined) throw new Error(`Cannot attach ${name}: it got no address`)
  return { netns: netnsPath(netns), cgroup: podCgroup(node, name), address, addresses }
}

/** A pod behind a veth, the `number`th of its node. */
export async function attachByRoutes(
  node: NodeRecord,
  name: string,
  number: number,
): Promise<BenchPod> {
  const netns = await newNamespace(node, name)
  const networks = node.podCidrs.map((prefix) => prefix.replace(/0?\/.*/, ''))
  const addresses = networks.map((network) => `${network}${10 + number}`)
  const device = `pod${number}`
  await ipBatch(node.netns, [
    `link add ${device} type veth peer name eth0 netns ${netns}`,
    `link set ${device} up`,
    ...networks.map((network) => `address add ${network}1 dev ${device}${flagsOf(network)}`),
    ...addresses.map((address) => `route add ${address} dev ${device}`),
  ])
  await ipBatch(netns, [
    ...['link set lo up', 'link set eth0 up'],
    ...addresses.map((address) => `address add ${address} dev eth0${flagsOf(address)}`),
    ...networks.flatMap((network) => [
      `route add ${network}1 dev eth0 scope link`,
      `route add default via ${network}1`,
    ]),
  ])
  const address = addresses[0] ?? ''
  return { netns: netnsPath(netns), cgroup: podCgroup(node, name), address, addresses }
}

/** Nobody else has the address: IPv6 need not ask. */
function flagsOf(address: string): string {
  return address.includes(':') ? ' nodad' : ''
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
