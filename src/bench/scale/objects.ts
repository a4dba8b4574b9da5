// The objects of a big cluster: what a loader writes and what is then changed. Pure: the same shape
// gives the same objects, so that what was loaded once can be kept.

/** How big the cluster is. */
export interface Shape {
  readonly services: number
  readonly endpointsPerService: number
  readonly pods: number
  readonly namespaces: number
  /** Nodes beside those that are measured. */
  readonly nodes: number
}

/** As design wants the agent measured. */
export const FULL_SHAPE: Shape = {
  services: 10_000,
  endpointsPerService: 10,
  pods: 50_000,
  namespaces: 1000,
  nodes: 500,
}

/** Ten endpoints each up to 10k Services, two beyond; no pods, which kube-proxy does not watch. */
export function servicesShape(services: number): Shape {
  if (services <= 1) {
    return { services: 0, endpointsPerService: 0, pods: 0, namespaces: 0, nodes: 0 }
  }
  const endpointsPerService = services > 10_000 ? 2 : 10
  return { services, endpointsPerService, pods: 0, namespaces: 100, nodes: 100 }
}

export interface ApiObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

/** An object and where it is created; `status` is written in a second request. */
export interface Wanted {
  readonly path: string
  readonly object: ApiObject
  readonly status?: Readonly<Record<string, unknown>>
}

/** An object as the API server would store it, and its key in etcd. */
export interface Stored {
  readonly key: string
  readonly object: ApiObject
}

/** Objects that are written once and kept. */
export interface Dataset {
  /** What they follow from, and a version of how. As JSON: the same gives the same objects. */
  readonly from: readonly [version: number, shape: object]
  /** In words: "10 Services x 2 endpoints". */
  readonly text: string
  /** What the API server takes, in ranks that follow each other. */
  readonly ranks: () => readonly (readonly Wanted[])[]
  /** What is stored past it. */
  readonly stored: () => readonly Stored[]
}

/** Raised when other objects are made of a shape. */
const VERSION = 1

const SLICES = '/apis/discovery.k8s.io/v1/namespaces'
const ZONES = ['zone-a', 'zone-b', 'zone-c']

export function each<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

export function shapeDataset(shape: Shape): Dataset {
  return {
    ...{ from: [VERSION, shape], text: describeShape(shape) },
    ranks: () => wantedObjects(shape),
    stored: () => storedServices(shape),
  }
}

export function describeShape({ services, endpointsPerService, pods }: Shape): string {
  const list = `${services} Services x ${endpointsPerService} endpoints`
  return pods > 0 ? `${list}, ${pods} pods` : list
}

/** What the API server takes of a shape, in ranks that follow each other. */
export function wantedObjects(shape: Shape): Wanted[][] {
  return [
    [
      ...each(shape.namespaces, namespaceWanted),
      ...each(shape.nodes, (index) => nodeWanted(index)),
    ],
    [
      ...each(shape.services, (index) => sliceWanted(shape, index)),
      ...each(shape.pods, (index) => podWanted(shape, index)),
    ],
  ]
}

/**
 * The Services of a shape, stored past the API server: to allocate their addresses takes it 40 ms
 * each. With every Service comes the record of its address, or the server would make one.
 */
export function storedServices(shape: Shape): Stored[] {
  return each(shape.services, (index) => storedService(shape, index)).flat()
}

function storedService(shape: Shape, index: number): Stored[] {
  const namespace = namespaceName(index % shape.namespaces)
  const name = serviceName(index)
  const clusterIP = serviceAddress(index)
  const stamp = (number: number) => ({
    uid: `00000000-0000-4000-8000-${(index * 2 + number).toString(16).padStart(12, '0')}`,
    creationTimestamp: '2026-11-01T00:00:00Z',
  })
  const service = serviceObject(namespace, name, clusterIP)
  const families = { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' }
  const parentRef = { group: '', resource: 'services', namespace, name }
  const address = {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress', spec: { parentRef } },
    metadata: {
      ...{ name: clusterIP, ...stamp(0) },
      labels: {
        'ipaddress.kubernetes.io/ip-family': 'IPv4',
        'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
      },
    },
  }
  const whole = {
    ...service,
    metadata: { ...service.metadata, ...stamp(1) },
    spec: { ...service.spec, ...families, type: 'ClusterIP', sessionAffinity: 'None' },
  }
  return [
    { key: `/registry/ipaddresses/${clusterIP}`, object: address },
    { key: `/registry/services/specs/${namespace}/${name}`, object: whole },
  ]
}

export function namespaceWanted(index: number): Wanted {
  const name = namespaceName(index)
  const labels = { team: `team-${index % 50}`, environment: index % 3 ? 'production' : 'staging' }
  const metadata = { name, labels }
  return { path: '/api/v1/namespaces', object: { apiVersion: 'v1', kind: 'Namespace', metadata } }
}

export function nodeWanted(
  index: number,
  podCIDRs: readonly string[] = [`${podNetwork(index)}.0/24`],
): Wanted {
  const name = nodeName(index)
  const labels = {
    'kubernetes.io/hostname': name,
    'topology.kubernetes.io/zone': ZONES[index % 3] as string,
  }
  const internal = { type: 'InternalIP', address: `172.20.${index >> 8}.${index & 255}` }
  const object = {
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } },
    spec: { podCIDR: podCIDRs[0], podCIDRs },
  }
  const addresses = [internal, { type: 'Hostname', address: name }]
  return { path: '/api/v1/nodes', object, status: { addresses } }
}

/** A Service of one port, without selector: nobody but the bench writes its slices. */
export function serviceObject(namespace: string, name: string, clusterIP: string) {
  const ports = [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }]
  const metadata = { name, namespace, labels: { app: name } }
  const spec = { clusterIP, clusterIPs: [clusterIP], ports }
  return { apiVersion: 'v1', kind: 'Service', metadata, spec }
}

export interface SliceChange {
  /** This endpoint is not ready. */
  readonly unready?: number
}

/** The slice of a Service, whole or with one endpoint gone unready. */
export function sliceWanted(shape: Shape, index: number, { unready }: SliceChange = {}): Wanted {
  const namespace = namespaceName(index % shape.namespaces)
  const first = index * shape.endpointsPerService
  const endpoints = Array.from({ length: shape.endpointsPerService }, (_, at) =>
    endpointObject(shape, first + at, at !== unready),
  )
  const object = sliceObject(namespace, serviceName(index), endpoints)
  return { path: `${SLICES}/${namespace}/endpointslices`, object }
}

export function sliceObject(
  namespace: string,
  service: string,
  endpoints: readonly object[],
  port = 8080,
): ApiObject {
  const labels = {
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': service,
  }
  const object = {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { name: `${service}-x7k2p`, namespace, labels },
    ports: [{ name: 'http', port, protocol: 'TCP' }],
    endpoints,
  }
  return object
}

/** Endpoints beyond the pods begin with the first pod again: pods are in several Services. */
function endpointObject(shape: Shape, index: number, ready: boolean): object {
  const pod = index % Math.max(shape.pods, POD_SPACE)
  const node = pod % Math.max(1, shape.nodes)
  return {
    addresses: [podAddress(shape, pod)],
    conditions: { ready, serving: ready, terminating: false },
    nodeName: nodeName(node),
    zone: ZONES[node % 3],
    targetRef: { kind: 'Pod', name: `pod-${pod}`, namespace: namespaceName(0) },
  }
}

/** As many addresses as endpoints cycle through where there are no pods. */
const POD_SPACE = 50_000

function podWanted(shape: Shape, index: number): Wanted {
  const node = index % shape.nodes
  const app = serviceName(index % shape.services)
  const namespace = namespaceName((index % shape.services) % shape.namespaces)
  const hash = (0x1234567 + (index % shape.services) * 7919).toString(36)
  const name = `${app}-${hash}-${index.toString(36).padStart(5, 'x')}`
  const labels = { app, 'pod-template-hash': hash, version: `v${index % 3}`, tier: 'backend' }
  const podIP = podAddress(shape, index)
  const container = {
    name: 'server',
    image: `registry.example/team/${app}:1.${index % 9}.0`,
    ports: [{ name: 'http', containerPort: 8080 }],
    env: ['HOME', 'MODE', 'LEVEL', 'REGION'].map((key) => ({ name: key, value: `${key}-value` })),
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
    readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 10 },
  }
  const object = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels } },
    spec: {
      nodeName: nodeName(node),
      containers: [container],
      automountServiceAccountToken: false,
    },
  }
  const hostIP = `172.20.${node >> 8}.${node & 255}`
  const conditions = ['Ready', 'ContainersReady', 'Initialized', 'PodScheduled'].map((type) => ({
    ...{ type, status: 'True', lastTransitionTime: '2026-11-01T00:00:00Z' },
  }))
  const status = { phase: 'Running', conditions, hostIP, podIP, podIPs: [{ ip: podIP }] }
  return { path: `/api/v1/namespaces/${namespace}/pods`, object, status }
}

export function namespaceName(index: number): string {
  return `space-${index}`
}

function serviceName(index: number): string {
  return `service-${index}`
}

export function nodeName(index: number): string {
  return `far-${index}`
}

/** From 10.96.1.0 on; the first 256 are for others. */
export function serviceAddress(index: number): string {
  return `10.96.${1 + (index >> 8)}.${index & 255}`
}

export function podNetwork(node: number): string {
  return `10.${128 + (node >> 8)}.${node & 255}`
}

/** Pods are dealt to the nodes in turn. */
function podAddress({ nodes }: Shape, pod: number): string {
  const count = Math.max(1, nodes)
  return `${podNetwork(pod % count)}.${(2 + Math.floor(pod / count)) % 254}`
}
