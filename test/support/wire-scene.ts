// What the tests of all derivations together begin with: settings, rows, and what came of them.
import { SERVICE_DEFAULTS } from '../../src/control/settings.ts'
import { parseAddress } from '../../src/net/address.ts'
import { parsePrefix } from '../../src/net/prefix.ts'
import type { EndpointSlice, Node, Service } from '../../src/tables/intent.ts'
import type { Tables } from '../../src/tables/tables.ts'
import { makeEndpoint, makePort, makeService } from './service-rows.ts'

export const SETTINGS = {
  nodeName: 'node-1',
  routing: 'auto',
  onLinkPrefixes: [parsePrefix('192.168.0.0/24')],
  services: SERVICE_DEFAULTS,
} as const

export const turn = () => new Promise((resolve) => setImmediate(resolve))

export function initialize({ nodes, services, endpointSlices, endpoints }: Tables): void {
  for (const table of [nodes, services, endpointSlices, endpoints]) table.markInitialized()
}

export function node(name: string, address: string, podCidr: string): Node {
  const addresses = [parseAddress(address)]
  return { name, addresses, podCidrs: [parsePrefix(podCidr)], labels: {}, leaving: false }
}

export function service(name: string, clusterIp: string, port = 80): Service {
  const ports = [makePort({ name: 'http', port })]
  return makeService({ name, clusterIps: [parseAddress(clusterIp)], ports })
}

export function slice(name: string, of: string, addresses: readonly string[]): EndpointSlice {
  return {
    namespace: 'default',
    name,
    service: of,
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: addresses.map((address) => makeEndpoint(address)),
  }
}

/** Everything derived, sorted by key. */
export function derived({ frontends, destinations, nodeRoutes }: Tables): unknown[] {
  return [frontends, destinations, nodeRoutes].map((table) => {
    const rows = [...table.entries()].map(({ key, row }) => ({ key, row }))
    return rows.sort((a, b) => (a.key < b.key ? -1 : 1))
  })
}
