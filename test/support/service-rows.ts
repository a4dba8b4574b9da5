// Rows about Services with everything that a test does not care for filled in.
import type { Address } from '../../src/net/address.ts'
import type { Frontend } from '../../src/tables/desired.ts'
import type { Node, Service, ServicePort, SliceEndpoint } from '../../src/tables/intent.ts'

/** default/web on 10.96.0.1:80/TCP. */
export function makeService(more: Partial<Service> = {}): Service {
  return {
    namespace: 'default',
    name: 'web',
    uid: '',
    clusterIps: ['10.96.0.1' as Address],
    ports: [makePort()],
    externalIps: [],
    loadBalancerIps: [],
    sourceRanges: [],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    affinitySeconds: 0,
    healthCheckNodePort: 0,
    ...more,
  }
}

export function makePort(more: Partial<ServicePort> = {}): ServicePort {
  return { name: '', protocol: 'TCP', port: 80, nodePort: 0, ...more }
}

/** A ready endpoint. */
export function makeEndpoint(address: string, more: Partial<SliceEndpoint> = {}): SliceEndpoint {
  return {
    address: address as Address,
    ready: true,
    serving: true,
    terminating: false,
    nodeName: '',
    zone: '',
    hintedZones: [],
    hintedNodes: [],
    ...more,
  }
}

export function makeNode(name: string, more: Partial<Node> = {}): Node {
  return { name, addresses: [], podCidrs: [], labels: {}, leaving: false, ...more }
}

/** The same set for everybody, unless `more` has another one for outside. */
export function makeFrontend(more: Partial<Frontend> = {}): Frontend {
  const backends = more.backends ?? []
  return {
    address: '10.96.0.1' as Address,
    port: 80,
    protocol: 'TCP',
    service: 'default/web',
    portName: '',
    kind: 'ClusterIP',
    backends,
    externalBackends: backends,
    whenEmpty: 'refuse',
    externalWhenEmpty: 'refuse',
    affinitySeconds: 0,
    balancing: 'random',
    forwarding: 'snat',
    ...more,
  }
}
