// Names and addresses: pods, Services and nodes, from the agent's rows; addresses are themselves.
import { type Address, addressFamily, formatAddressPort, parseAddress } from '../net/address.ts'
import type { NamedPort } from '../tables/intent.ts'
import type { Tables } from '../tables/tables.ts'

export interface Party {
  /** As a person calls it: "shop/front", or an address. */
  readonly name: string
  readonly addresses: readonly Address[]
  /** Those of a pod that have names. */
  readonly ports: readonly NamedPort[]
}

/**
 * Who is meant by a pod's or Service's namespace/name, a node's name, or an address. Throws a
 * sentence when it is nobody who has an address.
 */
export function findParty(text: string, tables: Tables): Party {
  if (isAddress(text)) return { name: text, addresses: [parseAddress(text)], ports: [] }
  const { nodes, pods, services } = tables
  const pod = pods.get(text)
  const addresses = [
    ...(pod?.addresses ?? []),
    ...[...tables.endpoints.rows()]
      .filter(({ podNamespace, podName }) => `${podNamespace}/${podName}` === text)
      .flatMap((row) => row.addresses),
    ...(nodes.get(text)?.addresses ?? []),
  ]
  const all = addresses.length > 0 ? addresses : (services.get(text)?.clusterIps ?? [])
  if (all.length > 0) return { name: text, addresses: [...new Set(all)], ports: pod?.ports ?? [] }
  const state = text.includes('/')
    ? 'no pod and no Service of this name has an address'
    : 'there is no node of this name; give NAMESPACE/NAME of a pod or Service, or an address'
  throw new Error(`Cannot find ${text}: ${state}`)
}

/** Also of what only looks like one, and is refused as such. */
export function isAddress(text: string): boolean {
  return /^[\d.]+$|:/.test(text)
}

/** Every pair of addresses of one family. */
export function pairsOf(from: Party, to: Party): { source: Address; destination: Address }[] {
  const pairs = from.addresses.flatMap((source) =>
    to.addresses
      .filter((destination) => addressFamily(destination) === addressFamily(source))
      .map((destination) => ({ source, destination })),
  )
  if (pairs.length > 0) return pairs
  throw new Error(`Cannot connect ${from.name} to ${to.name}: they share no address family`)
}

/** Whose an address is: pods by namespace/name, nodes by name. */
export function namesOf({
  nodes,
  pods,
  endpoints,
}: Pick<Tables, 'nodes' | 'pods' | 'endpoints'>): ReadonlyMap<Address, string> {
  const names = new Map<Address, string>()
  const note = (name: string, addresses: readonly Address[]): void => {
    for (const address of addresses) names.set(address, name)
  }
  for (const { namespace, name, hostNetwork, addresses } of pods.rows()) {
    if (!hostNetwork) note(`${namespace}/${name}`, addresses)
  }
  // What CNI gave to a pod of this node counts before what the API says.
  for (const { podNamespace, podName, addresses } of endpoints.rows()) {
    note(`${podNamespace}/${podName}`, addresses)
  }
  for (const { name, addresses } of nodes.rows()) note(name, addresses)
  return names
}

/** "shop/front (10.0.1.5:80)", or the address alone of who has no name. */
export function formatEnd(names: ReadonlyMap<Address, string>, address: Address, port = 0): string {
  const name = names.get(address)
  const text = port === 0 ? address : formatAddressPort(address, port)
  return name === undefined ? text : `${name} (${text})`
}
