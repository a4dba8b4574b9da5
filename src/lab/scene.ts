// Who talks to whom in the suite: pods, nodes and Services of the fixture, found once per run.
import { type Address, addressFamily, type Family } from '../net/address.ts'
import { gatewayOf, prefixFamily } from '../net/prefix.ts'
import type { Cluster, ClusterNode, ClusterPod } from './cluster.ts'
import { NAMESPACE } from './fixture.ts'
import type { AgentSettings } from './spec.ts'

export interface Check {
  readonly name: string
  /** Resolves with what was seen, in a few words; throws if it is not what was expected. */
  run(): Promise<string>
}

/** What the checks of one round know. */
export interface Scene {
  readonly cluster: Cluster
  readonly settings: AgentSettings
  /** "vxlan", "native, per packet": leads the names of the round's checks. */
  readonly title: string
  readonly node: ClusterNode
  readonly otherNode: ClusterNode
  /** A node behind a router, if the cluster has one. */
  readonly farNode: ClusterNode | undefined
  readonly client: ClusterPod
  /** On the client's node. */
  readonly neighbour: ClusterPod
  /** On the other node. */
  readonly remote: ClusterPod
  readonly far: ClusterPod | undefined
  readonly lone: ClusterPod
}

/** Finds everybody. Throws if the cluster has fewer than two nodes. */
export function makeScene(cluster: Cluster, settings: AgentSettings): Scene {
  const nodes = cluster.nodes()
  const near = nodes.filter(({ offLink }) => !offLink)
  const [node, otherNode = nodes.find((other) => other !== node)] = near
  if (!node || !otherNode) throw new Error('Cannot run the suite: it needs two nodes')
  const farNode = nodes.find((other) => other.offLink && other !== otherNode)
  return {
    cluster,
    settings,
    title: titleOf(settings),
    node,
    otherNode,
    farNode,
    client: podOf(cluster, 'client', node.name),
    neighbour: podOf(cluster, 'server', node.name),
    remote: podOf(cluster, 'server', otherNode.name),
    far: farNode && podOf(cluster, 'server', farNode.name),
    lone: podOf(cluster, 'lone'),
  }
}

function titleOf({ routing, socketServices, forwarding, xdp }: AgentSettings): string {
  const words = [socketServices ? '' : 'per packet', forwarding, xdp === 'off' ? '' : 'xdp']
  return [routing, ...words.filter(Boolean)].join(', ')
}

/** A pod of a fixture workload, on a node if one is named. */
export function podOf(cluster: Cluster, app: string, node?: string): ClusterPod {
  const found = cluster
    .pods()
    .find(
      (pod) =>
        pod.namespace === NAMESPACE &&
        pod.labels['app'] === app &&
        (node === undefined || pod.node === node),
    )
  if (!found) throw new Error(`Cannot find a ${app} pod on ${node ?? 'any node'}`)
  return found
}

/** The address of a family; the fixture is dual-stack wherever the cluster is. */
export function addressOf(
  thing: { readonly addresses: readonly Address[] },
  family: Family,
): Address {
  const address = thing.addresses.find((candidate) => addressFamily(candidate) === family)
  if (!address) throw new Error(`Cannot find an IPv${family} address among ${thing.addresses}`)
  return address
}

/** The node's gateway in the pod network, by which its pods know it. */
export function gatewayAddress({ podCidrs }: ClusterNode, family: Family): Address {
  const prefix = podCidrs.find((candidate) => prefixFamily(candidate) === family)
  if (!prefix) throw new Error(`Cannot find an IPv${family} podCIDR among ${podCidrs}`)
  return gatewayOf(prefix)
}

/** Cluster address of a fixture Service. */
export function clusterIpOf(cluster: Cluster, name: string, family: Family): Address {
  const service = cluster
    .services()
    .find((candidate) => candidate.namespace === NAMESPACE && candidate.name === name)
  if (!service) throw new Error(`Cannot find Service ${name}`)
  return addressOf({ addresses: service.clusterIps }, family)
}

/** "pod" as the cluster interface names it. */
export function inPod({ namespace, name }: Pick<ClusterPod, 'namespace' | 'name'>): {
  pod: string
} {
  return { pod: `${namespace}/${name}` }
}

/** Makes checks whose names carry the round and the family. */
export function checksFor(
  scene: Scene,
  family: Family,
  checks: Readonly<Record<string, () => Promise<string>>>,
): Check[] {
  return Object.entries(checks).map(([what, run]) => ({
    name: `${scene.title}: ${what} (IPv${family})`,
    run,
  }))
}
