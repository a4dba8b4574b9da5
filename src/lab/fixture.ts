// The suite's own workloads, in a namespace of their own: what every check talks from and to.
import { type Address, addressFamily, type Family } from '../net/address.ts'
import { prefixNth } from '../net/prefix.ts'
import { OUTSIDE_RANGES } from './spec.ts'

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
    service('nobody', { app: 'nobody' }, { type: 'NodePort' }),
    ...exposedObjects(),
  ]
}

/** Node ports that the checks know by heart; the rest are given out. */
export const HOST_PORTS = { tcp: 18_181, udp: 18_153 } as const

/** Addresses outside the cluster that Services have. */
export const OUTSIDE_ADDRESSES = {
  balancer: 10n,
  external: 11n,
  localBalancer: 12n,
  openRange: 13n,
  closedRange: 14n,
} as const

export function outsideAddress(name: keyof typeof OUTSIDE_ADDRESSES, family: Family): Address {
  const range = family === 4 ? OUTSIDE_RANGES.ipv4 : OUTSIDE_RANGES.ipv6
  return prefixNth(range, OUTSIDE_ADDRESSES[name])
}

const bothOf = (name: keyof typeof OUTSIDE_ADDRESSES): Address[] =>
  ([4, 6] as const).map((family) => outsideAddress(name, family))

function balancer(name: keyof typeof OUTSIDE_ADDRESSES): object {
  return { loadBalancer: { ingress: bothOf(name).map((ip) => ({ ip })) } }
}

/** Services that are reached from outside, and a pod with host ports. */
function exposedObjects(): object[] {
  const server = { app: 'server' }
  const type = 'LoadBalancer'
  const externalTrafficPolicy = 'Local'
  const sticky = { type: 'NodePort', sessionAffinity: 'ClientIP' }
  const inside = ['10.0.0.0/8', 'fd00:10::/32']
  const everyone = ['0.0.0.0/0', '::/0']
  return [
    service(
      'exposed',
      server,
      { type, externalIPs: bothOf('external') },
      { status: balancer('balancer') },
    ),
    service(
      'local',
      { app: 'lone' },
      { type, externalTrafficPolicy },
      { status: balancer('localBalancer') },
    ),
    service('hosts', { app: 'host' }, { type: 'NodePort' }),
    service('sticky', server, sticky),
    service('near', server, { internalTrafficPolicy: 'Local' }),
    service(
      'hashed',
      server,
      { type: 'NodePort' },
      { annotations: { 'weir.io/balancing': 'maglev' } },
    ),
    service(
      'open',
      server,
      { type, loadBalancerSourceRanges: everyone },
      { status: balancer('openRange') },
    ),
    service(
      'shut',
      server,
      { type, loadBalancerSourceRanges: inside },
      { status: balancer('closedRange') },
    ),
    workload('Deployment', 'ported', {
      ports: [
        { name: 'http', containerPort: HTTP_PORT, hostPort: HOST_PORTS.tcp },
        { name: 'dns', containerPort: DNS_PORT, hostPort: HOST_PORTS.udp, protocol: 'UDP' },
      ],
      replicas: 1,
    }),
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
function service(name: string, selector: object, spec: object = {}, rest: Rest = {}): object {
  const { annotations = {}, ...beside } = rest
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE, annotations },
    spec: {
      selector,
      ipFamilyPolicy: 'PreferDualStack',
      ports: [
        { name: 'http', port: 80, targetPort: 'http' },
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 'dns' },
      ],
      ...spec,
    },
    ...beside,
  }
}

interface Rest {
  readonly annotations?: object
  readonly status?: object
}
