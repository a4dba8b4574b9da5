// THE MAP OF THE PROGRAM: every table, who writes it, who reads it.

import { formatAddressPort } from '../net/address.ts'
import { Table } from '../state/table.ts'
import type { Destination, Frontend, MasqueradeExclusion, NodeRoute } from './desired.ts'
import type {
  Endpoint,
  EndpointSlice,
  Namespace,
  Node,
  Pod,
  Service,
  ServiceCidr,
} from './intent.ts'

export interface Tables {
  // Intent: written by kube/
  readonly nodes: Table<Node>
  readonly namespaces: Table<Namespace>
  readonly pods: Table<Pod>
  readonly services: Table<Service>
  readonly endpointSlices: Table<EndpointSlice>
  readonly serviceCidrs: Table<ServiceCidr>
  // Intent: written by cni/
  readonly endpoints: Table<Endpoint>
  // Desired: written by control/, realized by datapath/
  readonly frontends: Table<Frontend>
  readonly destinations: Table<Destination>
  readonly nodeRoutes: Table<NodeRoute>
  readonly masqueradeExclusions: Table<MasqueradeExclusion>
}

export function createTables(): Tables {
  const tables: Tables = {
    nodes: new Table('nodes', ({ name }) => name),
    namespaces: new Table('namespaces', ({ name }) => name),
    pods: new Table('pods', ({ namespace, name }) => `${namespace}/${name}`),
    services: new Table('services', ({ namespace, name }) => `${namespace}/${name}`),
    endpointSlices: new Table('endpointSlices', ({ namespace, name }) => `${namespace}/${name}`),
    serviceCidrs: new Table('serviceCidrs', ({ name }) => name),
    endpoints: new Table<Endpoint>('endpoints', endpointKey),
    frontends: new Table<Frontend>('frontends', frontendKey),
    destinations: new Table('destinations', ({ prefix }) => prefix),
    nodeRoutes: new Table('nodeRoutes', ({ prefix }) => prefix),
    masqueradeExclusions: new Table('masqueradeExclusions', ({ prefix }) => prefix),
  }
  tables.endpointSlices.addIndex('service', ({ namespace, service }) => [`${namespace}/${service}`])
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
