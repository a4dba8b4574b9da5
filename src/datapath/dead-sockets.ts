// Connected UDP sockets whose backend is gone. The translation was made at connect(), so nothing
// of theirs is ever decided again: the socket is ended, and its owner connects anew.
import { existsSync } from 'node:fs'
import type { Library } from '../libbpf/library.ts'
import { type Family, formatAddressPort } from '../net/address.ts'
import { protocolNumber } from '../net/protocol.ts'
import { Netlink } from '../netlink/netlink.ts'
import { destroySockets, listConnectedUdp } from '../netlink/sockets.ts'
import type { EntryMap } from './entry-map.ts'
import type { Ended } from './flow-gc.ts'
import type * as layout from './layout.gen.ts'
import type { ServiceMap } from './service-read.ts'

const FAMILIES: readonly Family[] = [4, 6]

export interface SocketMaps {
  readonly services: ServiceMap
  readonly sockFrontends: EntryMap<layout.SocketKey, layout.SocketFrontend>
}

/** Cookies of the sockets that were translated to one of these, by a frontend of its port. */
export function findDeadSockets(maps: SocketMaps, ended: readonly Ended[]): Set<bigint> {
  const gone = new Map<string, Set<number>>()
  for (const { serviceId, address, port } of ended) {
    if (serviceId === 0) continue
    const name = formatAddressPort(address, port)
    gone.set(name, (gone.get(name) ?? new Set()).add(serviceId))
  }
  const found = new Set<bigint>()
  if (gone.size === 0) return found
  for (const [{ cookie, address, port }, frontend] of maps.sockFrontends.entries()) {
    const services = gone.get(formatAddressPort(address, port))
    if (!services) continue
    const service = maps.services.get({ ...frontend, protocol: protocolNumber('UDP') })
    if (service && services.has(service.id)) found.add(cookie)
  }
  return found
}

/** Ends those sockets, in this namespace and then in the pods' until all are found. */
export function endSockets(
  library: Library,
  cookies: ReadonlySet<bigint>,
  podNamespaces: Iterable<string>,
): void {
  const left = new Set(cookies)
  for (const netns of [undefined, ...podNamespaces]) {
    if (left.size === 0) return
    if (netns !== undefined && !existsSync(netns)) continue
    using netlink = Netlink.openSockets(library, netns)
    for (const family of FAMILIES) {
      const dead = listConnectedUdp(netlink, family).filter(({ cookie }) => left.delete(cookie))
      destroySockets(netlink, dead)
    }
  }
}
