// Connected UDP sockets whose backend is gone. The translation was made at connect(), so nothing
// of theirs is ever decided again: the socket is ended, and its owner connects anew.
import { existsSync } from 'node:fs'
import type { Library } from '../libbpf/library.ts'
import type { Family } from '../net/address.ts'
import { Netlink } from '../netlink/netlink.ts'
import { destroySockets, listConnectedUdp } from '../netlink/sockets.ts'
import { frontendKey } from '../tables/tables.ts'
import type { EntryMap } from './entry-map.ts'
import type * as layout from './layout.gen.ts'
import { backendName, type Present } from './udp-endings.ts'

const FAMILIES: readonly Family[] = [4, 6]

/** Cookies of the sockets that these frontends have led to other endpoints. */
export function findDeadSockets(
  sockFrontends: EntryMap<layout.SocketKey, layout.SocketFrontend>,
  present: Present,
): Set<bigint> {
  const found = new Set<bigint>()
  for (const [{ cookie, address, port }, frontend] of sockFrontends.entries()) {
    const names = present.get(frontendKey({ ...frontend, protocol: 'UDP' }))
    if (names && !names.has(backendName({ address, port }))) found.add(cookie)
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
