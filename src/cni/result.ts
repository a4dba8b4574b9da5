// What ADD answers, in the shape of the version that was asked for. Three shapes exist: 0.1/0.2
// has one address per family, 0.3 and 0.4 mark each address with its family, 1.0 drops the mark,
// 1.1 adds the MTU.
import { type Address, addressFamily } from '../net/address.ts'
import { gatewayOf, hostPrefix, type Prefix, prefixFamily } from '../net/prefix.ts'
import type { Endpoint } from '../tables/intent.ts'
import { isSecondary } from '../tables/tables.ts'
import { atLeast, type Version } from './versions.ts'
import type { Dns } from './wishes.ts'

export interface ResultParts {
  readonly endpoint: Endpoint
  /** The node's podCIDRs, for the gateways. */
  readonly podCidrs: readonly Prefix[]
  readonly dns: Dns
}

/** The result of ADD as an object for JSON. */
export function formatResult(version: Version, parts: ResultParts): object {
  return atLeast(version, '0.3.0') ? formatModern(version, parts) : formatOld(version, parts)
}

function formatModern(version: Version, { endpoint, podCidrs, dns }: ResultParts): object {
  const { addresses, mtu } = endpoint
  const withMtu = atLeast(version, '1.1.0') ? { mtu } : {}
  return {
    cniVersion: version,
    interfaces: [
      { name: endpoint.hostIfName, mac: endpoint.hostMac, ...withMtu },
      { name: endpoint.ifName, mac: endpoint.mac, ...withMtu, sandbox: endpoint.netns },
    ],
    ips: addresses.map((address) => ({
      ...(!atLeast(version, '1.0.0') && { version: String(addressFamily(address)) }),
      interface: 1,
      address: hostPrefix(address),
      gateway: gatewayFor(address, podCidrs),
    })),
    routes: defaultRoutes(endpoint, addresses, podCidrs),
    ...withDns(dns),
  }
}

function formatOld(version: Version, { endpoint, podCidrs, dns }: ResultParts): object {
  const families = endpoint.addresses.map((address) => [
    `ip${addressFamily(address)}`,
    {
      ip: hostPrefix(address),
      gateway: gatewayFor(address, podCidrs),
      routes: defaultRoutes(endpoint, [address], podCidrs),
    },
  ])
  return { cniVersion: version, ...Object.fromEntries(families), ...withDns(dns) }
}

function withDns(dns: Dns): object {
  return Object.keys(dns).length > 0 ? { dns } : {}
}

/** A second interface has none that count for the pod. */
function defaultRoutes(
  endpoint: Endpoint,
  addresses: readonly Address[],
  podCidrs: readonly Prefix[],
): object[] {
  if (isSecondary(endpoint)) return []
  return addresses.map((address) => {
    const dst = addressFamily(address) === 4 ? '0.0.0.0/0' : '::/0'
    return { dst, gw: gatewayFor(address, podCidrs) }
  })
}

/**
 * The gateway of a family is that of the node's first podCIDR of it: weir_host has one address
 * each.
 */
function gatewayFor(address: Address, podCidrs: readonly Prefix[]): Address {
  const podCidr = podCidrs.find((cidr) => prefixFamily(cidr) === addressFamily(address))
  if (!podCidr) throw new Error(`Cannot name the gateway of ${address}: no podCIDR of its family`)
  return gatewayOf(podCidr)
}
