// What a lab is asked to be, and every address that follows from it. Pure.
import { type Address, parseAddress } from '../net/address.ts'
import { type Prefix, parsePrefix } from '../net/prefix.ts'

/** What the agents are started with; the suite changes these and puts them back. */
export interface AgentSettings {
  readonly routing: 'auto' | 'vxlan' | 'native'
  readonly socketServices: boolean
  readonly forwarding: 'snat' | 'dsr'
  readonly xdp: 'off' | 'native'
}

/** How a lab begins. */
export const DEFAULT_SETTINGS: AgentSettings = {
  routing: 'vxlan',
  socketServices: true,
  forwarding: 'snat',
  xdp: 'off',
}

export interface LabSpec {
  readonly name: string
  readonly nodes: number
  readonly ipv4: boolean
  readonly ipv6: boolean
  /** Nodes on another subnet, behind the fabric's router. */
  readonly offLink: readonly string[]
}

export interface NodePlan {
  readonly name: string
  readonly offLink: boolean
  /** Underlay addresses with prefix length, IPv4 first. */
  readonly addresses: readonly string[]
  /** Next hops of the default routes, one per family. */
  readonly routers: readonly Address[]
  readonly podCidrs: readonly Prefix[]
}

/** The subnets of the underlay: [0] of the on-link nodes, [1] of the off-link ones. */
const SUBNETS = [
  { ipv4: '192.168.60.', ipv6: 'fd00:192:168:60::' },
  { ipv4: '192.168.61.', ipv6: 'fd00:192:168:61::' },
] as const

export const SERVICE_CIDRS = {
  ipv4: parsePrefix('10.96.0.0/16'),
  ipv6: parsePrefix('fd00:10:96::/112'),
} as const

/** Addresses of load balancers and external ones; the fabric routes them to node1. */
export const OUTSIDE_RANGES = {
  ipv4: parsePrefix('10.97.0.0/24'),
  ipv6: parsePrefix('fd00:10:97::/112'),
} as const

/** The nodes of a lab, node1 first. Throws if an off-link node is not among them. */
export function planNodes(spec: LabSpec): NodePlan[] {
  const names = Array.from({ length: spec.nodes }, (_, index) => `node${index + 1}`)
  const unknown = spec.offLink.find((name) => !names.includes(name))
  if (unknown) {
    throw new Error(`Cannot put ${unknown} off-link: the lab has ${names.join(', ')}`)
  }
  return names.map((name, index) => planNode(spec, name, index + 1))
}

function planNode(spec: LabSpec, name: string, number: number): NodePlan {
  const offLink = spec.offLink.includes(name)
  const subnet = SUBNETS[offLink ? 1 : 0]
  const host = 10 + number
  return {
    name,
    offLink,
    addresses: [
      ...(spec.ipv4 ? [`${subnet.ipv4}${host}/24`] : []),
      ...(spec.ipv6 ? [`${subnet.ipv6}${host}/64`] : []),
    ],
    routers: routerAddresses(spec, offLink).map((text) => parseAddress(bare(text))),
    podCidrs: [
      ...(spec.ipv4 ? [parsePrefix(`10.244.${number}.0/24`)] : []),
      ...(spec.ipv6 ? [parsePrefix(`fd00:10:244:${number.toString(16)}::/64`)] : []),
    ],
  }
}

/** The fabric's own addresses on one of its two subnets, with prefix length. */
export function routerAddresses(spec: LabSpec, offLink: boolean): string[] {
  const subnet = SUBNETS[offLink ? 1 : 0]
  return [
    ...(spec.ipv4 ? [`${subnet.ipv4}1/24`] : []),
    ...(spec.ipv6 ? [`${subnet.ipv6}1/64`] : []),
  ]
}

/** "192.168.60.11/24" -> "192.168.60.11". */
export function bare(addressWithLength: string): Address {
  return parseAddress(addressWithLength.split('/')[0] ?? '')
}
