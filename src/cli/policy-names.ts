// Names and addresses: pods by namespace/name, from the agent; addresses are themselves.

import { type Address, addressFamily, formatAddressPort, parseAddress } from '../net/address.ts'
import type { Entry } from '../state/table.ts'
import type { Endpoint, Pod } from '../tables/intent.ts'
import type { Tables } from '../tables/tables.ts'
import { readAgent } from './agent.ts'

export interface Party {
  /** As a person calls it: "shop/front", or an address. */
  readonly name: string
  readonly addresses: readonly Address[]
}

/** Throws a sentence when a name is no pod that has an address, or nobody is there to ask. */
export async function findParty(socket: string, text: string): Promise<Party> {
  if (!text.includes('/')) return { name: text, addresses: [parseAddress(text)] }
  const pods = await readAgent<Entry<Pod>[]>(socket, '/v1/tables/pods')
  const known = pods.find(({ key }) => key === text)?.row.addresses ?? []
  if (known.length > 0) return { name: text, addresses: known }
  const endpoints = await readAgent<Entry<Endpoint>[]>(socket, '/v1/tables/endpoints')
  const local = endpoints.find(({ row }) => `${row.podNamespace}/${row.podName}` === text)
  if (local) return { name: text, addresses: local.row.addresses }
  throw new Error(`Cannot find ${text}: no pod of this name has an address`)
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
