// What the bench asks of every node: Services with a node port, in front of a pod of its own and of
// one of another node, which is only pretended. Pure.
import type { ApiObject, Wanted } from '../scale/objects.ts'

/** A node whose addresses the switch has: what is for its pods ends there. */
export const FAR_NODE = {
  name: 'far',
  addresses: ['192.168.60.99', 'fd00:192:168:60::99'],
  podCidrs: ['10.244.99.0/24', 'fd00:10:244:63::/64'],
  pod: ['10.244.99.9', 'fd00:10:244:63::9'],
} as const

/** Ports of a pod that are endpoints: as many pods have as many ports for sources that hide. */
const ENDPOINTS = 10
const NAMESPACE = 'default'
const SERVICES = `/api/v1/namespaces/${NAMESPACE}/services`
const SLICES = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices`

/** Node ports of the Services in front of the other node's pod, by how they are forwarded. */
export const REMOTE_PORTS = { snat: 30_001, dsr: 30_002 } as const

/** Node port of the Service in front of the pod of the `index`th node. */
export function localPort(index: number): number {
  return 30_010 + index
}

export function farNode(): Wanted {
  const { name, addresses, podCidrs } = FAR_NODE
  return {
    path: '/api/v1/nodes',
    object: {
      ...{ apiVersion: 'v1', kind: 'Node', metadata: { name } },
      ...{ spec: { podCIDR: podCidrs[0], podCIDRs: podCidrs } },
    },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  }
}

export interface Exposed {
  readonly name: string
  readonly nodePort: number
  readonly nodeName: string
  /** Of its pod, one of each family. */
  readonly addresses: readonly string[]
  readonly forwarding?: 'snat' | 'dsr'
}

/** The Services in front of the other node's pod. */
export function remoteServices(): Exposed[] {
  return (['snat', 'dsr'] as const).map((forwarding) => ({
    ...{ name: `remote-${forwarding}`, nodePort: REMOTE_PORTS[forwarding], forwarding },
    ...{ nodeName: FAR_NODE.name, addresses: FAR_NODE.pod },
  }))
}

/** The Service in front of the pod of the `index`th node. */
export function localService(
  index: number,
  nodeName: string,
  addresses: readonly string[],
): Exposed {
  return { name: `local-${index}`, nodePort: localPort(index), nodeName, addresses }
}

/** A Service for TCP and UDP on one node port, and its slices. */
export function exposedObjects(exposed: Exposed): Wanted[] {
  const slices = exposed.addresses.flatMap((address) =>
    Array.from({ length: ENDPOINTS }, (_, at) => sliceOf(exposed, address, at)),
  )
  return [
    { path: SERVICES, object: serviceOf(exposed) },
    ...slices.map((object) => ({ path: SLICES, object })),
  ]
}

function serviceOf({ name, nodePort, forwarding = 'snat' }: Exposed): ApiObject {
  const ports = portsOf(80).map((port) => ({ ...port, nodePort }))
  const annotations = { 'weir.io/forwarding': forwarding }
  const object = {
    ...{ apiVersion: 'v1', kind: 'Service' },
    metadata: { name, namespace: NAMESPACE, annotations },
    spec: { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack', ports },
  }
  return object
}

function sliceOf({ name, nodeName }: Exposed, address: string, at: number): ApiObject {
  const addressType = address.includes(':') ? 'IPv6' : 'IPv4'
  const labels = {
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': name,
  }
  const conditions = { ready: true, serving: true, terminating: false }
  const object = {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType },
    metadata: { name: `${name}-${addressType.toLowerCase()}-${at}`, namespace: NAMESPACE, labels },
    ports: portsOf(8000 + at),
    endpoints: [{ addresses: [address], conditions, nodeName }],
  }
  return object
}

function portsOf(port: number) {
  return (['TCP', 'UDP'] as const).map((protocol) => {
    return { name: protocol.toLowerCase(), port, protocol }
  })
}
