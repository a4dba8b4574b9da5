// Words for writing policies shortly: a set of policies reads as what it says.
import { addressFamily } from '../../net/address.ts'
import type { Cluster } from '../cluster.ts'
import { gridNamespace, gridPod, type Peer, type Traffic } from './grid.ts'

/** Policies, and what they let pass by the words of the API. */
export interface PolicySet {
  readonly name: string
  readonly objects: (cluster: Cluster) => readonly object[]
  readonly allows: (traffic: Traffic) => boolean
}

type Selector = Readonly<Record<string, unknown>>
type Rule = Readonly<Record<string, unknown>>

/** A NetworkPolicy in a column of the grid. */
export function policy(ns: Peer['ns'], name: string, spec: object): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: gridNamespace(ns), name },
    spec: { podSelector: {}, ...spec },
  }
}

/** A ClusterNetworkPolicy. */
export function clusterPolicy(name: string, spec: object): object {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: `weir-grid-${name}` },
    spec,
  }
}

export function pods(pod: Peer['pod']): { podSelector: Selector } {
  return { podSelector: { matchLabels: { pod } } }
}

export function namespaces(ns: Peer['ns']): { namespaceSelector: Selector } {
  return { namespaceSelector: { matchLabels: { ns } } }
}

export function expression(key: string, operator: string, ...values: string[]): Selector {
  const requirement = { key, operator, ...(values.length > 0 ? { values } : {}) }
  return { matchExpressions: [requirement] }
}

export function port(number: number | string, protocol?: string, endPort?: number): object {
  return {
    port: number,
    ...(protocol ? { protocol } : {}),
    ...(endPort === undefined ? {} : { endPort }),
  }
}

/** Ingress of pod x/a. */
export function intoXA(...ingress: readonly Rule[]): object {
  return policy('x', 'into-a', { ...pods('a'), policyTypes: ['Ingress'], ingress })
}

/** Egress of pod x/a. */
export function outOfXA(...egress: readonly Rule[]): object {
  return policy('x', 'out-of-a', { ...pods('a'), policyTypes: ['Egress'], egress })
}

export function from(...peers: readonly object[]): Rule {
  return { from: peers }
}

export function to(...peers: readonly object[]): Rule {
  return { to: peers }
}

/** ipBlocks of one pod's addresses, a block a family. */
export function blocksOf(cluster: Cluster, peer: Peer): object[] {
  return gridPod(cluster, peer).addresses.map((address) => ({
    ipBlock: { cidr: `${address}/${addressFamily(address) === 4 ? 32 : 128}` },
  }))
}

/** ipBlocks of everything but one pod's addresses. */
export function allBut(cluster: Cluster, peer: Peer): object[] {
  return gridPod(cluster, peer).addresses.map((address) => {
    const four = addressFamily(address) === 4
    const ipBlock = {
      cidr: four ? '0.0.0.0/0' : '::/0',
      except: [`${address}/${four ? 32 : 128}`],
    }
    return { ipBlock }
  })
}

export function is(peer: Peer, ns: Peer['ns'], pod: Peer['pod']): boolean {
  return peer.ns === ns && peer.pod === pod
}

/** A set about what x/a takes; all else passes. */
export function ingressSet(
  name: string,
  rules: readonly Rule[] | ((cluster: Cluster) => readonly Rule[]),
  takes: (traffic: Traffic) => boolean,
): PolicySet {
  return {
    name: `into x/a: ${name}`,
    objects: (cluster) => [intoXA(...(typeof rules === 'function' ? rules(cluster) : rules))],
    allows: (traffic) => !is(traffic.to, 'x', 'a') || takes(traffic),
  }
}

/** A set about what x/a sends; all else passes. */
export function egressSet(
  name: string,
  rules: readonly Rule[] | ((cluster: Cluster) => readonly Rule[]),
  sends: (traffic: Traffic) => boolean,
): PolicySet {
  return {
    name: `out of x/a: ${name}`,
    objects: (cluster) => [outOfXA(...(typeof rules === 'function' ? rules(cluster) : rules))],
    allows: (traffic) => !is(traffic.from, 'x', 'a') || sends(traffic),
  }
}

export function set(
  name: string,
  objects: readonly object[],
  allows: (traffic: Traffic) => boolean,
): PolicySet {
  return { name, objects: () => objects, allows }
}
