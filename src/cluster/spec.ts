// Addresses of the cluster and everything that follows from the number of nodes. Pure.

export const UNDERLAY = {
  /** The control plane, router of the underlay. */
  router: ['172.30.0.1', 'fd00:172:30::1'],
  /** This machine's end of its link into the underlay. */
  machine: ['172.30.0.254', 'fd00:172:30::fe'],
  lengths: [24, 64],
} as const

/** An outside client, routed to: this machine, where it must not look like a neighbour of nodes. */
export const OUTSIDE = ['172.29.0.254', 'fd00:172:29::fe'] as const
/** Where load balancers have their addresses, as a cloud would route them. */
export const LOAD_BALANCERS = {
  cidrs: ['172.28.0.0/24', 'fd00:172:28::/112'],
  prefixes: ['172.28.0.', 'fd00:172:28::'],
} as const

export const POD_CIDRS = ['10.244.0.0/16', 'fd00:10:244::/48'] as const
export const SERVICE_CIDRS = ['10.96.0.0/16', 'fd00:10:96::/112'] as const
export const CLUSTER_DNS = '10.96.0.10'
/** The first address of the Service CIDR: where pods find the API server. */
export const API_SERVICE = '10.96.0.1'
export const API_SERVER = `https://${UNDERLAY.router[0]}:6443`

export interface NodePlan {
  readonly name: string
  /** IPv4, IPv6, without length. */
  readonly addresses: readonly [string, string]
  readonly zone: string
}

const ZONES = ['weir-a', 'weir-b', 'weir-c'] as const

/** node1 is x.11; zones in turn. Throws for a number of nodes that does not fit. */
export function planNodes(count: number): NodePlan[] {
  if (!Number.isInteger(count) || count < 1 || count > 20) {
    throw new Error(`Cannot make ${count} nodes: must be a whole number from 1 to 20`)
  }
  return Array.from({ length: count }, (_, index) => ({
    name: `node${index + 1}`,
    addresses: [`172.30.0.${11 + index}`, `fd00:172:30::${11 + index}`],
    zone: ZONES[index % ZONES.length] as string,
  }))
}

/** Lines of `ip -batch` that give a device its addresses. */
export function addressLines(device: string, addresses: readonly string[]): string[] {
  return addresses.map((address, index) => {
    const end = address.includes(':') ? ' nodad' : ''
    return `address add ${address}/${UNDERLAY.lengths[index]} dev ${device}${end}`
  })
}
