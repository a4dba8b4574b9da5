// Where Services are served from: what of this node decides which endpoints are near and on which
// of its addresses ports are open.
import { type Address, addressFamily } from '../net/address.ts'
import { prefixContains, prefixFamily } from '../net/prefix.ts'
import type { Node } from '../tables/intent.ts'
import type { NodePortAddresses } from '../tables/services.ts'
import type { ControlSettings } from './settings.ts'

export interface Site {
  readonly nodeName: string
  /** '' when the node is in none. */
  readonly zone: string
  /** NodePorts are here. */
  readonly nodePortAddresses: readonly Address[]
  /** HostPorts without an address of their own are here. */
  readonly hostPortAddresses: readonly Address[]
}

const ZONE = 'topology.kubernetes.io/zone'
const LOOPBACK = ['127.0.0.1', '::1'] as readonly string[] as readonly Address[]

/** `node` is this node's row; without it no port is open. */
export function siteOf(node: Node | undefined, settings: ControlSettings): Site {
  const { nodePortAddresses, nodePortLocalhost } = settings.services
  const addresses = node?.addresses ?? []
  const loopback = nodePortLocalhost && node ? LOOPBACK : []
  return {
    nodeName: settings.nodeName,
    zone: node?.labels[ZONE] ?? '',
    nodePortAddresses: [...choose(addresses, nodePortAddresses), ...loopback],
    hostPortAddresses: node ? [...addresses, ...LOOPBACK] : [],
  }
}

function choose(addresses: readonly Address[], wish: NodePortAddresses): readonly Address[] {
  if (wish === 'primary') {
    const families = addresses.map(addressFamily)
    return addresses.filter((address, at) => families.indexOf(addressFamily(address)) === at)
  }
  return addresses.filter((address) => {
    const family = addressFamily(address)
    const own = wish.filter((prefix) => prefixFamily(prefix) === family)
    return own.length === 0 || own.some((prefix) => prefixContains(prefix, address))
  })
}

/** The part of a node's row that a site is made of, as text: another text is another site. */
export function siteText({ addresses, labels }: Node): string {
  return `${addresses.join()} ${labels[ZONE] ?? ''}`
}
