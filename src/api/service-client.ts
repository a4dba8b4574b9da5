// Who asks a Service: a pod, a node or somebody outside, by the text that a person gives.
import { type Address, parseAddress } from '../net/address.ts'
import { prefixContains } from '../net/prefix.ts'
import type { Tables } from '../tables/tables.ts'

export type ClientKind = 'pod here' | 'pod elsewhere' | 'this node' | 'other node' | 'outside'

export interface Client {
  readonly kind: ClientKind
  /** As messages call it. */
  readonly text: string
  /** Empty: not known, or any. */
  readonly addresses: readonly Address[]
}

type ClientRows = Pick<Tables, 'pods' | 'endpoints' | 'nodes'>

/** Without a text: one of each kind that differs. */
export const EVERYBODY: readonly Client[] = [
  { kind: 'pod here', text: 'a pod of this node', addresses: [] },
  { kind: 'this node', text: 'this node itself', addresses: [] },
  { kind: 'outside', text: 'anybody outside the cluster', addresses: [] },
]

/** `text` is "namespace/pod", "node", "outside" or an address. Undefined: nobody is called so. */
export function findClient(text: string, rows: ClientRows, own: string): Client | undefined {
  if (text === 'node') return EVERYBODY[1]
  if (text === 'outside') return EVERYBODY[2]
  const address = tryAddress(text)
  return address === undefined ? findPod(text, rows, own) : findByAddress(address, rows, own)
}

function findPod(name: string, { pods, endpoints }: ClientRows, own: string): Client | undefined {
  const pod = pods.get(name)
  if (pod?.hostNetwork) {
    const kind = pod.nodeName === own ? 'this node' : 'other node'
    return {
      kind,
      text: `pod ${name}, on the network of ${pod.nodeName}`,
      addresses: pod.addresses,
    }
  }
  const endpoint = [...endpoints.rows()].find(
    ({ podNamespace, podName }) => `${podNamespace}/${podName}` === name,
  )
  const addresses = endpoint?.addresses ?? pod?.addresses
  if (!addresses) return undefined
  const isHere = endpoint !== undefined || pod?.nodeName === own
  const where = isHere ? 'on this node' : `on node ${pod?.nodeName || 'unknown'}`
  const text = `pod ${name} ${where} (${addresses.join(', ') || 'no address yet'})`
  return { kind: isHere ? 'pod here' : 'pod elsewhere', text, addresses }
}

function findByAddress(address: Address, rows: ClientRows, own: string): Client {
  const addresses = [address]
  const endpoint = [...rows.endpoints.rows()].find((row) => row.addresses.includes(address))
  if (endpoint) {
    const text = `${address}, pod ${endpoint.podNamespace}/${endpoint.podName} on this node`
    return { kind: 'pod here', text, addresses }
  }
  for (const node of rows.nodes.rows()) {
    const { name, podCidrs } = node
    if (node.addresses.includes(address)) {
      const kind = name === own ? 'this node' : 'other node'
      return { kind, text: `${address}, node ${name}`, addresses }
    }
    if (podCidrs.some((prefix) => prefixContains(prefix, address))) {
      const kind = name === own ? 'pod here' : 'pod elsewhere'
      return { kind, text: `${address}, an address of pods on node ${name}`, addresses }
    }
  }
  return { kind: 'outside', text: `${address}, outside the cluster`, addresses }
}

function tryAddress(text: string): Address | undefined {
  try {
    return parseAddress(text)
  } catch {
    return undefined
  }
}
