// The kinds that a source reads: API version and kind, the function that makes the row, the table
// it goes to.
import type { Table } from '../state/table.ts'
import type { Tables } from '../tables/tables.ts'
import { clusterNetworkPolicyRow } from './cluster-policy-objects.ts'
import type { Converted } from './metadata.ts'
import { namespaceRow, nodeRow, podRow } from './objects.ts'
import { networkPolicyRow } from './policy-objects.ts'
import { endpointSliceRow, serviceCidrRow, serviceRow } from './service-objects.ts'

export interface Kind {
  readonly apiVersion: string
  readonly kind: string
  /** Throws ObjectError. */
  readonly convert: (object: never) => Converted<object>
  readonly tableOf: (tables: Tables) => Table<never>
}

function kind<Api, Row extends object>(
  apiVersion: string,
  name: string,
  convert: (object: Api) => Converted<Row>,
  tableOf: (tables: Tables) => Table<Row>,
): Kind {
  return { apiVersion, kind: name, convert, tableOf } as unknown as Kind
}

export const KINDS: readonly Kind[] = [
  kind('v1', 'Node', nodeRow, (tables) => tables.nodes),
  kind('v1', 'Namespace', namespaceRow, (tables) => tables.namespaces),
  kind('v1', 'Pod', podRow, (tables) => tables.pods),
  kind('v1', 'Service', serviceRow, (tables) => tables.services),
  kind('discovery.k8s.io/v1', 'EndpointSlice', endpointSliceRow, (tables) => tables.endpointSlices),
  kind(
    'networking.k8s.io/v1',
    'NetworkPolicy',
    networkPolicyRow,
    (tables) => tables.networkPolicies,
  ),
  kind(
    'policy.networking.k8s.io/v1alpha2',
    'ClusterNetworkPolicy',
    clusterNetworkPolicyRow,
    (tables) => tables.clusterNetworkPolicies,
  ),
  kind('networking.k8s.io/v1', 'ServiceCIDR', serviceCidrRow, (tables) => tables.serviceCidrs),
]

export function findKind(apiVersion: string, name: string): Kind | undefined {
  return KINDS.find((known) => known.apiVersion === apiVersion && known.kind === name)
}
