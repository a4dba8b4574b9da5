// What a Service says beyond its cluster address: who may reach it from where, and by which node
// ports. The lab gives out node ports; all else goes to the agents as it was written.
import { type Fields, fieldsOf, type KubeObject } from './read.ts'

/** Fields of a Service's spec that the agents read and the lab has no part in. */
export const PASSED_FIELDS = [
  'externalIPs',
  'externalTrafficPolicy',
  'internalTrafficPolicy',
  'sessionAffinity',
  'sessionAffinityConfig',
  'loadBalancerSourceRanges',
  'allocateLoadBalancerNodePorts',
  'healthCheckNodePort',
  'publishNotReadyAddresses',
] as const

export interface Exposure {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer'
  readonly passed: Fields
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Fields
  /** As the manifest has it: there is no cloud here that would give out addresses. */
  readonly ingress: unknown
}

export function exposureOf({ body, labels }: KubeObject): Exposure {
  const spec = fieldsOf(body, 'spec')
  const type = spec['type']
  const passed = PASSED_FIELDS.filter((name) => spec[name] !== undefined)
  return {
    type: type === 'NodePort' || type === 'LoadBalancer' ? type : 'ClusterIP',
    passed: Object.fromEntries(passed.map((name) => [name, spec[name]])),
    labels,
    annotations: fieldsOf(fieldsOf(body, 'metadata'), 'annotations'),
    ingress: fieldsOf(fieldsOf(body, 'status'), 'loadBalancer')['ingress'],
  }
}

export function hasNodePorts({ type, passed }: Exposure): boolean {
  return type === 'NodePort' || (type === 'LoadBalancer' && passed[ALLOCATES] !== false)
}

const ALLOCATES = 'allocateLoadBalancerNodePorts'
/** Kubernetes' own range. */
const FIRST_NODE_PORT = 30_000
const LAST_NODE_PORT = 32_767

/** Gives out node ports, never one that is taken. */
export class NodePorts {
  readonly #taken: Set<number>

  constructor(taken: Iterable<number>) {
    this.#taken = new Set(taken)
  }

  next(): number {
    for (let port = FIRST_NODE_PORT; port <= LAST_NODE_PORT; port++) {
      if (this.#taken.has(port)) continue
      this.#taken.add(port)
      return port
    }
    throw new Error('Cannot give a Service a node port: none is free')
  }
}
