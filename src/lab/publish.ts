// Writes what the lab has as Kubernetes YAML into the directory that every agent watches. Files are
// replaced by rename and only when they differ, and go when their object goes.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { addressFamily } from '../net/address.ts'
import { nodeLabels } from './manifests/plan.ts'
import { fieldsOf, type KubeObject } from './manifests/read.ts'
import { type PlannedService, type PlannedSlice, planSlices } from './manifests/services.ts'
import { labPaths } from './paths.ts'
import { type LabRecord, type NodeRecord, type PodRecord, writeWhole } from './record.ts'

/** Kinds of which the lab makes nothing: the agents get them as they are. */
export const AS_WRITTEN = new Set(['EndpointSlice', 'NetworkPolicy', 'ClusterNetworkPolicy'])

/**
 * Makes the manifest directory hold exactly the lab's nodes, namespaces, pods, Services and
 * slices.
 */
export function publish(
  lab: LabRecord,
  services: readonly PlannedService[],
  objects: readonly KubeObject[],
): void {
  const directory = labPaths(lab.name).manifests
  mkdirSync(directory, { recursive: true })
  const files = new Map<string, unknown>()
  const ready = lab.pods.filter(({ addresses }) => addresses.length > 0)
  const put = (kind: string, { namespace = '', name }: Named, body: object): void => {
    files.set(`${kind.toLowerCase()}.${namespace ? `${namespace}.` : ''}${name}.yaml`, body)
  }
  for (const node of lab.nodes) put('Node', node, nodeObject(node))
  for (const object of namespaceObjects(lab, services, objects)) {
    put('Namespace', { name: object.metadata.name }, object)
  }
  for (const pod of lab.pods) put('Pod', pod, podObject(pod))
  for (const service of services) {
    put('Service', service, serviceObject(service))
    for (const slice of planSlices(service, ready)) put('EndpointSlice', slice, sliceObject(slice))
  }
  // Policies, and slices that people wrote themselves for Services without a selector.
  for (const object of objects)
    if (AS_WRITTEN.has(object.kind)) put(object.kind, object, object.body)
  writeFiles(directory, files)
}

interface Named {
  readonly namespace?: string
  readonly name: string
}

function writeFiles(directory: string, files: ReadonlyMap<string, unknown>): void {
  for (const [file, body] of files) {
    const path = join(directory, file)
    const text = stringify(body)
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeWhole(path, text)
  }
  for (const file of readdirSync(directory)) if (!files.has(file)) rmSync(join(directory, file))
}

function nodeObject(node: NodeRecord): object {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: node.name, labels: nodeLabels(node.name) },
    spec: { podCIDR: node.podCidrs[0], podCIDRs: node.podCidrs },
    status: {
      addresses: [
        ...node.addresses.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: node.name },
      ],
    },
  }
}

function namespaceObjects(
  lab: LabRecord,
  services: readonly PlannedService[],
  objects: readonly KubeObject[],
): { metadata: { name: string } }[] {
  const names = new Set(['default'])
  for (const { namespace } of [...lab.pods, ...services]) names.add(namespace)
  const written = new Map(
    objects.filter(({ kind }) => kind === 'Namespace').map((object) => [object.name, object]),
  )
  for (const name of written.keys()) names.add(name)
  return [...names].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: { 'kubernetes.io/metadata.name': name, ...written.get(name)?.labels },
      annotations: fieldsOf(fieldsOf(written.get(name)?.body ?? {}, 'metadata'), 'annotations'),
    },
  }))
}

function podObject(pod: PodRecord): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: pod.namespace, name: pod.name, uid: pod.uid, labels: pod.labels },
    spec: {
      nodeName: pod.node,
      ...(pod.hostNetwork ? { hostNetwork: true } : {}),
      containers: [
        {
          name: 'server',
          image: 'weir-pod',
          ports: pod.ports.map(({ name, port, protocol }) => ({
            ...(name ? { name } : {}),
            containerPort: port,
            protocol,
          })),
        },
      ],
    },
    status: {
      phase: 'Running',
      podIP: pod.addresses[0],
      podIPs: pod.addresses.map((ip) => ({ ip })),
    },
  }
}

function serviceObject(service: PlannedService): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      namespace: service.namespace,
      name: service.name,
      labels: service.labels,
      annotations: service.annotations,
    },
    spec: {
      ...service.passed,
      type: service.type,
      clusterIP: service.headless ? 'None' : service.clusterIps[0],
      clusterIPs: service.headless ? ['None'] : service.clusterIps,
      ipFamilies: service.families.map((family) => `IPv${family}`),
      selector: service.selector,
      ports: service.ports.map(({ name, ...port }) => ({ ...(name ? { name } : {}), ...port })),
    },
    ...(service.ingress ? { status: { loadBalancer: { ingress: service.ingress } } } : {}),
  }
}

function sliceObject(slice: PlannedSlice): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: slice.namespace,
      name: slice.name,
      labels: { 'kubernetes.io/service-name': slice.service },
    },
    addressType: `IPv${slice.family}`,
    ports: slice.ports.map(({ name, port, protocol }) => ({ name, port, protocol })),
    endpoints: slice.pods.map((pod) => ({
      addresses: pod.addresses.filter((address) => addressFamily(address) === slice.family),
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: pod.node,
      targetRef: { kind: 'Pod', namespace: slice.namespace, name: pod.name },
    })),
  }
}
