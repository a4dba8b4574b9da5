// The lean protobuf schema: only the fields that are read here, with their numbers in Kubernetes'
// generated.proto. A decoder skips all others. Names are those of the JSON encoding, so that both
// encodings give the same objects.
import type { INamespace } from 'protobufjs/light.js'

type Fields = Readonly<Record<string, readonly [id: number, type: string, rule?: 'repeated']>>

const LABELS = { labels: { keyType: 'string', type: 'string', id: 11 } }
const ANNOTATIONS = { annotations: { keyType: 'string', type: 'string', id: 12 } }

const META: Fields = {
  name: [1, 'string'],
  namespace: [3, 'string'],
  uid: [5, 'string'],
  resourceVersion: [6, 'string'],
}

function message(fields: Fields, maps: Readonly<Record<string, object>> = {}) {
  const entries = Object.entries(fields).map(([name, [id, type, rule]]) => [
    name,
    rule ? { id, type, rule } : { id, type },
  ])
  // Of proto2, as Kubernetes writes it: a field that is there counts, also when it is false or 0.
  return { edition: 'proto2', fields: { ...Object.fromEntries(entries), ...maps } }
}

/** metadata, spec and status are 1, 2 and 3 in every object that has them. */
function object(parts: { metadata?: string; spec?: string; status?: string }) {
  return message({
    metadata: [1, parts.metadata ?? 'ObjectMeta'],
    ...(parts.spec ? { spec: [2, parts.spec] as const } : {}),
    ...(parts.status ? { status: [3, parts.status] as const } : {}),
  })
}

/** k8s.io/apimachinery: pkg/runtime and pkg/apis/meta/v1, pkg/util/intstr. */
const MACHINERY = {
  Unknown: message({ typeMeta: [1, 'TypeMeta'], raw: [2, 'bytes'] }),
  TypeMeta: message({ apiVersion: [1, 'string'], kind: [2, 'string'] }),
  WatchEvent: message({ type: [1, 'string'], object: [2, 'RawExtension'] }),
  RawExtension: message({ raw: [1, 'bytes'] }),
  ObjectMeta: message(META, LABELS),
  // Few kinds need more of it, and annotations may be large.
  NodeMeta: message({ ...META, deletionTimestamp: [9, 'Time'] }, LABELS),
  AnnotatedMeta: message(META, { ...LABELS, ...ANNOTATIONS }),
  Time: message({ seconds: [1, 'int64'] }),
  ListMeta: message({ resourceVersion: [2, 'string'], continue: [3, 'string'] }),
  Status: message({
    message: [3, 'string'],
    reason: [4, 'string'],
    details: [5, 'StatusDetails'],
    code: [6, 'int32'],
  }),
  StatusDetails: message({ retryAfterSeconds: [5, 'int32'] }),
  // A bookmark is an object of its kind with nothing but this.
  Bookmark: message({ metadata: [1, 'BookmarkMeta'] }),
  BookmarkMeta: message({ resourceVersion: [6, 'string'] }, ANNOTATIONS),
  LabelSelector: message(
    { matchExpressions: [2, 'LabelSelectorRequirement', 'repeated'] },
    { matchLabels: { keyType: 'string', type: 'string', id: 1 } },
  ),
  LabelSelectorRequirement: message({
    key: [1, 'string'],
    operator: [2, 'string'],
    values: [3, 'string', 'repeated'],
  }),
  IntOrString: message({ type: [1, 'int32'], intVal: [2, 'int32'], strVal: [3, 'string'] }),
}

/** k8s.io/api/core/v1. */
const CORE = {
  Node: object({ metadata: 'NodeMeta', spec: 'NodeSpec', status: 'NodeStatus' }),
  NodeSpec: message({
    podCIDR: [1, 'string'],
    taints: [5, 'Taint', 'repeated'],
    podCIDRs: [7, 'string', 'repeated'],
  }),
  Taint: message({ key: [1, 'string'] }),
  NodeStatus: message({ addresses: [5, 'NodeAddress', 'repeated'] }),
  NodeAddress: message({ type: [1, 'string'], address: [2, 'string'] }),
  Namespace: object({ metadata: 'AnnotatedMeta' }),
  Pod: object({ metadata: 'AnnotatedMeta', spec: 'PodSpec', status: 'PodStatus' }),
  PodSpec: message({
    containers: [2, 'Container', 'repeated'],
    nodeName: [10, 'string'],
    hostNetwork: [11, 'bool'],
    initContainers: [20, 'Container', 'repeated'],
  }),
  Container: message({ ports: [6, 'ContainerPort', 'repeated'], restartPolicy: [24, 'string'] }),
  ContainerPort: message({
    name: [1, 'string'],
    containerPort: [3, 'int32'],
    protocol: [4, 'string'],
  }),
  PodStatus: message({
    phase: [1, 'string'],
    podIP: [6, 'string'],
    podIPs: [12, 'PodIP', 'repeated'],
  }),
  PodIP: message({ ip: [1, 'string'] }),
  Service: object({ metadata: 'AnnotatedMeta', spec: 'ServiceSpec', status: 'ServiceStatus' }),
  ServiceSpec: message({
    ports: [1, 'ServicePort', 'repeated'],
    clusterIP: [3, 'string'],
    type: [4, 'string'],
    externalIPs: [5, 'string', 'repeated'],
    sessionAffinity: [7, 'string'],
    loadBalancerSourceRanges: [9, 'string', 'repeated'],
    externalTrafficPolicy: [11, 'string'],
    healthCheckNodePort: [12, 'int32'],
    publishNotReadyAddresses: [13, 'bool'],
    sessionAffinityConfig: [14, 'SessionAffinityConfig'],
    clusterIPs: [18, 'string', 'repeated'],
    ipFamilies: [19, 'string', 'repeated'],
    loadBalancerClass: [21, 'string'],
    internalTrafficPolicy: [22, 'string'],
    trafficDistribution: [23, 'string'],
  }),
  ServicePort: message({
    name: [1, 'string'],
    protocol: [2, 'string'],
    port: [3, 'int32'],
    nodePort: [5, 'int32'],
  }),
  SessionAffinityConfig: message({ clientIP: [1, 'ClientIPConfig'] }),
  ClientIPConfig: message({ timeoutSeconds: [1, 'int32'] }),
  ServiceStatus: message({ loadBalancer: [1, 'LoadBalancerStatus'] }),
  LoadBalancerStatus: message({ ingress: [1, 'LoadBalancerIngress', 'repeated'] }),
  LoadBalancerIngress: message({ ip: [1, 'string'], ipMode: [3, 'string'] }),
}

/** k8s.io/api/discovery/v1. */
const DISCOVERY = {
  EndpointSlice: message({
    metadata: [1, 'AnnotatedMeta'],
    endpoints: [2, 'Endpoint', 'repeated'],
    ports: [3, 'EndpointPort', 'repeated'],
    addressType: [4, 'string'],
  }),
  Endpoint: message({
    addresses: [1, 'string', 'repeated'],
    conditions: [2, 'EndpointConditions'],
    nodeName: [6, 'string'],
    zone: [7, 'string'],
    hints: [8, 'EndpointHints'],
  }),
  EndpointConditions: message({
    ready: [1, 'bool'],
    serving: [2, 'bool'],
    terminating: [3, 'bool'],
  }),
  EndpointHints: message({
    forZones: [1, 'HintFor', 'repeated'],
    forNodes: [2, 'HintFor', 'repeated'],
  }),
  // ForZone and ForNode alike.
  HintFor: message({ name: [1, 'string'] }),
  EndpointPort: message({ name: [1, 'string'], protocol: [2, 'string'], port: [3, 'int32'] }),
}

/** k8s.io/api/networking/v1. */
const NETWORKING = {
  NetworkPolicy: object({ spec: 'NetworkPolicySpec' }),
  NetworkPolicySpec: message({
    podSelector: [1, 'LabelSelector'],
    ingress: [2, 'NetworkPolicyIngressRule', 'repeated'],
    egress: [3, 'NetworkPolicyEgressRule', 'repeated'],
    policyTypes: [4, 'string', 'repeated'],
  }),
  NetworkPolicyIngressRule: message({
    ports: [1, 'NetworkPolicyPort', 'repeated'],
    from: [2, 'NetworkPolicyPeer', 'repeated'],
  }),
  NetworkPolicyEgressRule: message({
    ports: [1, 'NetworkPolicyPort', 'repeated'],
    to: [2, 'NetworkPolicyPeer', 'repeated'],
  }),
  NetworkPolicyPort: message({
    protocol: [1, 'string'],
    port: [2, 'IntOrString'],
    endPort: [3, 'int32'],
  }),
  NetworkPolicyPeer: message({
    podSelector: [1, 'LabelSelector'],
    namespaceSelector: [2, 'LabelSelector'],
    ipBlock: [3, 'IPBlock'],
  }),
  IPBlock: message({ cidr: [1, 'string'], except: [2, 'string', 'repeated'] }),
  ServiceCIDR: object({ spec: 'ServiceCIDRSpec' }),
  ServiceCIDRSpec: message({ cidrs: [1, 'string', 'repeated'] }),
}

/** All messages, as protobufjs wants them. */
export const SCHEMA = {
  nested: { ...MACHINERY, ...CORE, ...DISCOVERY, ...NETWORKING },
} as INamespace
