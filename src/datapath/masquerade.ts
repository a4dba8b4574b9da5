// What masquerade needs of the agent: the node's addresses by uplink, and the destinations that see
// pods as they are. Who is translated, and to which port, the programs decide per flow.
import { type Address, addressFamily, type Family, parseAddress } from '../net/address.ts'
import { NO_FAILURES, type Operations } from '../state/reconciler.ts'
import type { MasqueradeExclusion } from '../tables/desired.ts'
import { toKey, toPrefix } from './destinations.ts'
import type { EntryMap } from './entry-map.ts'
import type * as layout from './layout.gen.ts'
import type { Uplink } from './uplinks.ts'

/** Ports at the node's address for connections whose source is translated. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

export type ExclusionMap = EntryMap<layout.DestinationKey, number>

const NO_ADDRESS = parseAddress('::')

/** The map `uplinks`, made to hold exactly these. */
export function writeUplinks(
  map: EntryMap<number, layout.Uplink>,
  uplinks: readonly Uplink[],
  nodeAddresses: readonly Address[],
): void {
  const wanted = new Set(uplinks.map(({ ifindex }) => ifindex))
  const rows = uplinks.map((uplink) => {
    const own = (family: Family) => addressOn(uplink, nodeAddresses, family)
    const { ifindex, mtu, mac } = uplink
    return [ifindex, { address4: own(4), address6: own(6), mtu, mac }] as const
  })
  const [failure] = map.updateMany(rows).values()
  if (failure) throw failure
  map.deleteMany([...map.keys()].filter((ifindex) => !wanted.has(ifindex)))
}

/** The Node's own where this device holds it, else the device's first of the family. */
function addressOn(
  { addresses }: Uplink,
  nodeAddresses: readonly Address[],
  family: Family,
): Address {
  const fitting = addresses.filter((address) => addressFamily(address) === family)
  return fitting.find((address) => nodeAddresses.includes(address)) ?? fitting[0] ?? NO_ADDRESS
}

/**
 * Keeps map `no_masquerade` equal to the exclusions. Established flows keep their translation, so
 * nothing is decided again.
 */
export function exclusionOperations(map: ExclusionMap): Operations<MasqueradeExclusion> {
  return {
    async update(rows) {
      const failures = new Map<string, Error>()
      const failed = map.updateMany(rows.map(({ prefix }) => [toKey(prefix), 1] as const))
      for (const [at, error] of failed) failures.set(rows[at]?.prefix ?? '', error)
      return failures
    },
    async delete(rows) {
      map.deleteMany(rows.map(({ prefix }) => toKey(prefix)))
      return NO_FAILURES
    },
    async prune(rows) {
      const wanted = new Set<string>(rows.map(({ prefix }) => prefix))
      map.deleteMany([...map.keys()].filter((key) => !wanted.has(toPrefix(key))))
    },
  }
}
