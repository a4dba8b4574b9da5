// The suite's own workloads, in a namespace of their own: what every check talks from and to.
import { type Address, addressFamily } from '../net/address.ts'

export const NAMESPACE = 'weir-test'
export const HTTP_PORT = 8080
export const DNS_PORT = 8053
export const HOST_PORT = 18080
/** Nobody listens here. */
export const CLOSED_PORT = 81

const PORTS = [
  { name: 'http', containerPort: HTTP_PORT },
  { name: 'dns', containerPort: DNS_PORT, protocol: 'UDP' },
] as const

/** Objects as `apply` takes them, for a cluster of so many nodes. */
export function fixtureObjects(nodeCount: number): object[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    workload('DaemonSet', 'client', { ports: PORTS }),
    workload('Deployment', 'server', { ports: PORTS, replicas: nodeCount }),
    workload('StatefulSet', 'lone', { ports: PORTS, replicas: 1 }),
    workload('DaemonSet', 'host', {
      ports: [
        { name: 'http', containerPort: HOST_PORT },
        { name: 'dns', containerPort: HOST_PORT, protocol: 'UDP' },
      ],
      hostNetwork: true,
    }),
    service('server', { app: 'server' }),
    service('lone', { app: 'lone' }),
    service('host', { app: 'host' }),
    service('nobody', { app: 'nobody' }),
  ]
}

/**
 * A Service of hand-written slices: its backends are these pods, at a port where nobody listens.
 */
export function closedObjects(addresses: readonly Address[]): object[] {
  const slices = Map.groupBy(addresses, addressFamily)
  return [
    service('closed', {}),
    ...[...slices].map(([family, endpoints]) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `closed-ipv${family}`,
        namespace: NAMESPACE,
        labels: { 'kubernetes.io/service-name': 'closed' },
      },
      addressType: `IPv${family}`,
      ports: [
        { name: 'http', port: CLOSED_PORT, protocol: 'TCP' },
        { name: 'dns', port: CLOSED_PORT, protocol: 'UDP' },
      ],
      endpoints: endpoints.map((address) => ({
        addresses: [address],
        conditions: { ready: true },
      })),
    })),
  ]
}

/** A pod and its Service that the restart check removes while the agent is away. */
export function spareObjects(node: string): object[] {
  return [
    workload('Deployment', 'spare', { ports: PORTS, replicas: 1, node }),
    service('spare', { app: 'spare' }),
  ]
}

interface Shape {
  readonly ports: readonly object[]
  readonly replicas?: number
  readonly hostNetwork?: boolean
  readonly node?: string
}

function workload(kind: string, app: string, shape: Shape): object {
  const { ports, replicas, hostNetwork, node } = shape
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: app, namespace: NAMESPACE },
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app } },
        spec: {
          ...(hostNetwork ? { hostNetwork } : {}),
          ...(node ? { nodeName: node } : {}),
          containers: [{ name: 'server', ports }],
        },
      },
    },
  }
}

/** Port 80 and 53 to the named ports, in both families where there are two. */
function service(name: string, selector: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      selector,
      ipFamilyPolicy: 'PreferDualStack',
      ports: [
        { name: 'http', port: 80, targetPort: 'http' },
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 'dns' },
      ],
    },
  }
}
