// THE MAP OF THE PROGRAM: every table, who writes it, who reads it.

import { formatAddressPort } from '../net/address.ts'
import { Table } from '../state/table.ts'
import type {
  Destination,
  Frontend,
  HealthCheck,
  MasqueradeExclusion,
  NodeRoute,
} from './desired.ts'
import type {
  Endpoint,
  EndpointSlice,
  Namespace,
  Node,
  Pod,
  Service,
  ServiceCidr,
} from './intent.ts'
import type {
  AddressIdentity,
  CidrIdentity,
  ClusterNetworkPolicy,
  EndpointPolicy,
  NetworkPolicy,
  PolicyRule,
  PolicySet,
} from './policy.ts'

export interface Tables {
  // Intent: written by kube/
  readonly nodes: Table<Node>
  readonly namespaces: Table<Namespace>
  readonly pods: Table<Pod>
  readonly services: Table<Service>
  readonly endpointSlices: Table<EndpointSlice>
  readonly serviceCidrs: Table<ServiceCidr>
  readonly networkPolicies: Table<NetworkPolicy>
  readonly clusterNetworkPolicies: Table<ClusterNetworkPolicy>
  // Intent: written by cni/
  readonly endpoints: Table<Endpoint>
  // Desired: written by control/, realized by datapath/
  readonly frontends: Table<Frontend>
  readonly destinations: Table<Destination>
  readonly nodeRoutes: Table<NodeRoute>
  readonly masqueradeExclusions: Table<MasqueradeExclusion>
  // The same for policy: all five change together, in one turn
  readonly addressIdentities: Table<AddressIdentity>
  readonly cidrIdentities: Table<CidrIdentity>
  readonly policySets: Table<PolicySet>
  readonly endpointPolicies: Table<EndpointPolicy>
  readonly policyRules: Table<PolicyRule>
  // Desired: written by control/, realized by health/
  readonly healthChecks: Table<HealthCheck>
}

export function createTables(): Tables {
  const tables: Tables = {
    nodes: new Table('nodes', ({ name }) => name),
    namespaces: new Table('namespaces', ({ name }) => name),
    pods: new Table('pods', ({ namespace, name }) => `${namespace}/${name}`),
    services: new Table('services', ({ namespace, name }) => `${namespace}/${name}`),
    endpointSlices: new Table('endpointSlices', ({ namespace, name }) => `${namespace}/${name}`),
    serviceCidrs: new Table('serviceCidrs', ({ name }) => name),
    networkPolicies: new Table('networkPolicies', ({ namespace, name }) => `${namespace}/${name}`),
    clusterNetworkPolicies: new Table('clusterNetworkPolicies', ({ name }) => name),
    endpoints: new Table<Endpoint>('endpoints', endpointKey),
    frontends: new Table<Frontend>('frontends', frontendKey),
    destinations: new Table('destinations', ({ prefix }) => prefix),
    nodeRoutes: new Table('nodeRoutes', ({ prefix }) => prefix),
    healthChecks: new Table('healthChecks', ({ port }) => String(port)),
    masqueradeExclusions: new Table('masqueradeExclusions', ({ prefix }) => prefix),
    addressIdentities: new Table('addressIdentities', ({ address }) => address),
    cidrIdentities: new Table('cidrIdentities', ({ prefix }) => prefix),
    policySets: new Table('policySets', ({ id }) => String(id)),
    endpointPolicies: new Table('endpointPolicies', ({ address }) => address),
    policyRules: new Table('policyRules', ({ id }) => String(id)),
  }
  tables.endpointSlices.addIndex('service', ({ namespace, service }) => [`${namespace}/${service}`])
  tables.networkPolicies.addIndex('namespace', ({ namespace }) => [namespace])
  return tables
}

/** "containerID/ifname", the CNI attachment. */
export function endpointKey({
  containerId,
  ifName,
}: Pick<Endpoint, 'containerId' | 'ifName'>): string {
  return `${containerId}/${ifName}`
}

/**
 * Beside the interface that the pod's default routes use (net1 of Multus): reached and answering by
 * addresses of its own, and otherwise not asked.
 */
export function isSecondary({ ifName }: Pick<Endpoint, 'ifName'>): boolean {
  return ifName !== 'eth0'
}

/** "10.96.0.10:53/UDP". */
export function frontendKey({
  address,
  port,
  protocol,
}: Pick<Frontend, 'address' | 'port' | 'protocol'>): string {
  return `${formatAddressPort(address, port)}/${protocol}`
}
