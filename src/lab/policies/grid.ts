// The grid on which policies are tried: three namespaces of three pods, each pod behind a Service
// of its own, half of them on one node and half on another; two TCP and two UDP ports.
import { type Address, addressFamily, type Family } from '../../net/address.ts'
import type { Cluster, ClusterPod } from '../cluster.ts'

export const GRID_NAMES = ['x', 'y', 'z'] as const
export const GRID_PODS = ['a', 'b', 'c'] as const
export const GRID_PORTS = [80, 81] as const
export const GRID_PROTOCOLS = ['TCP', 'UDP'] as const

/** A pod of the grid as policies see it. */
export interface Peer {
  readonly ns: (typeof GRID_NAMES)[number]
  readonly pod: (typeof GRID_PODS)[number]
}

/** What one pod sends another. */
export interface Traffic {
  readonly from: Peer
  readonly to: Peer
  readonly port: number
  readonly protocol: (typeof GRID_PROTOCOLS)[number]
  readonly family: Family
}

export const PEERS: readonly Peer[] = GRID_NAMES.flatMap((ns) =>
  GRID_PODS.map((pod) => ({ ns, pod })),
)

/** Namespace of the cluster for a column of the grid. */
export function gridNamespace(ns: Peer['ns']): string {
  return `weir-grid-${ns}`
}

/** "serve-80-tcp", the name of a container's port. */
export function portName(port: number, protocol: string): string {
  return `serve-${port}-${protocol.toLowerCase()}`
}

export function gridObjects(nodes: readonly { readonly name: string }[]): object[] {
  const namespaces = GRID_NAMES.map((ns) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: gridNamespace(ns), labels: { ns } },
  }))
  const pods = PEERS.map((peer, at) => podObject(peer, nodes[at % 2]?.name ?? ''))
  return [...namespaces, ...pods, ...PEERS.map(serviceObject)]
}

const EVERY_PORT = GRID_PORTS.flatMap((port) =>
  GRID_PROTOCOLS.map((protocol) => ({ port, protocol, name: portName(port, protocol) })),
)

function podObject({ ns, pod }: Peer, nodeName: string): object {
  const ports = EVERY_PORT.map(({ port, ...rest }) => ({ ...rest, containerPort: port }))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: gridNamespace(ns), name: pod, labels: { pod, tier: tierOf(pod) } },
    spec: { nodeName, containers: [{ name: 'server', ports }] },
  }
}

/** A second label, so that pods can share one: a and b are "front", c is "back". */
export function tierOf(pod: Peer['pod']): string {
  return pod === 'c' ? 'back' : 'front'
}

function serviceObject({ ns, pod }: Peer): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: gridNamespace(ns), name: `svc-${pod}` },
    spec: { selector: { pod }, ipFamilyPolicy: 'PreferDualStack', ports: EVERY_PORT },
  }
}

/** A pod of the grid in the cluster. */
export function gridPod(cluster: Cluster, { ns, pod }: Peer): ClusterPod {
  const found = cluster
    .pods()
    .find(({ namespace, name }) => namespace === gridNamespace(ns) && name === pod)
  if (!found) throw new Error(`Cannot find pod ${gridNamespace(ns)}/${pod}`)
  return found
}

/** By which addresses a pod is asked: its own and those of its Service. */
export function gridAddresses(cluster: Cluster, peer: Peer): readonly Address[] {
  const service = cluster.services().find(({ namespace, name }) => {
    return namespace === gridNamespace(peer.ns) && name === `svc-${peer.pod}`
  })
  return [...gridPod(cluster, peer).addresses, ...(service?.clusterIps ?? [])]
}

/** One probe: what is sent, and the text by which weir-pod knows it. */
export interface Probe extends Traffic {
  readonly target: string
}

/** Everything that one pod asks of all nine, by every address. */
export function probesFrom(cluster: Cluster, from: Peer): readonly Probe[] {
  return PEERS.flatMap((to) =>
    gridAddresses(cluster, to).flatMap((address) =>
      EVERY_PORT.map(({ port, protocol }) => ({
        ...{ from, to, port, protocol, family: addressFamily(address) },
        target: `${protocol.toLowerCase()}/${address}/${port}`,
      })),
    ),
  )
}
