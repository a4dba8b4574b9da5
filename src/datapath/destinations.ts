// Keeps map `destinations` equal to the destinations table: which node has which addresses.
import { parseAddress } from '../net/address.ts'
import {
  type Prefix,
  parsePrefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
} from '../net/prefix.ts'
import { type Failures, NO_FAILURES, type Operations } from '../state/reconciler.ts'
import type { ActualDestination } from '../tables/actual.ts'
import type { Destination } from '../tables/desired.ts'
import { type EntryMap, writeChanged } from './entry-map.ts'
import * as layout from './layout.gen.ts'

const NO_ADDRESS = parseAddress('::')

export type DestinationMap = EntryMap<layout.DestinationKey, layout.Destination>

export interface DestinationOptions {
  readonly map: DestinationMap
  /** Called after a batch that changed something, so that flows are decided again. */
  readonly bumpEpoch: () => void
  /** This node's own: marked local, so that an address in them without a pod is refused. */
  readonly podCidrs: readonly Prefix[]
}

export function destinationOperations(options: DestinationOptions): Operations<Destination> {
  const { map, bumpEpoch, podCidrs } = options
  return {
    async update(rows) {
      const failures = new Map<string, Error>()
      const refused = rows.filter(({ problem }) => problem !== undefined)
      const good = rows.filter(({ problem }) => problem === undefined)
      for (const { prefix, problem } of refused) failures.set(prefix, new Error(problem))
      const removed = deleteHeld(map, refused)
      const { failures: failed, written } = writeChanged(map, good.map(toEntry))
      for (const [at, error] of failed) failures.set(good[at]?.prefix ?? '', error)
      if (removed + written > 0) bumpEpoch()
      return failures
    },
    async delete(rows): Promise<Failures> {
      if (deleteHeld(map, rows) > 0) bumpEpoch()
      return NO_FAILURES
    },
    async prune(rows) {
      writeLocalDestinations(options)
      const wanted = new Set<string>([...rows.map(({ prefix }) => prefix), ...podCidrs])
      const extra = [...map.keys()].filter((key) => !wanted.has(toPrefix(key)))
      map.deleteMany(extra)
      if (extra.length > 0) bumpEpoch()
    },
  }
}

/** To be called once before packets come, and repeated by prune. */
export function writeLocalDestinations({ map, bumpEpoch, podCidrs }: DestinationOptions): void {
  const own = ownEntry(layout.DestinationFlags.LOCAL)
  const { written } = writeChanged(
    map,
    podCidrs.map((prefix) => [toKey(prefix), own] as const),
  )
  if (written > 0) bumpEpoch()
}

function deleteHeld(map: DestinationMap, rows: readonly Destination[]): number {
  const keys = rows.map(({ prefix }) => toKey(prefix)).filter((key) => map.get(key) !== undefined)
  map.deleteMany(keys)
  return keys.length
}

function toEntry(row: Destination): readonly [layout.DestinationKey, layout.Destination] {
  const { OVERLAY, NODE, ON_LINK, LOCAL } = layout.DestinationFlags
  // As with this node's podCIDRs: what is not known in it does not exist.
  if (row.kind === 'services') return [toKey(row.prefix), ownEntry(LOCAL)]
  const flags =
    (row.routing === 'vxlan' ? OVERLAY : 0) |
    (row.kind === 'node' ? NODE : 0) |
    (row.onLink ? ON_LINK : 0)
  const { nodeAddress: node, tunnelAddress: tunnel = NO_ADDRESS } = row
  return [toKey(row.prefix), { node, flags, tunnel }]
}

/** No other node's. */
function ownEntry(flags: number): layout.Destination {
  return { node: NO_ADDRESS, flags, tunnel: NO_ADDRESS }
}

/** Lengths are of the 16-byte form: an IPv4 /24 is 120. */
export function toKey(prefix: Prefix): layout.DestinationKey {
  const widened = prefixFamily(prefix) === 4 ? 96 : 0
  return { prefixLength: prefixLength(prefix) + widened, address: prefixAddress(prefix) }
}

export function toPrefix({ address, prefixLength: length }: layout.DestinationKey): Prefix {
  return parsePrefix(`${address}/${address.includes(':') ? length : length - 96}`)
}

/** What the map holds of other nodes, for showing and for drift. */
export function readDestinations(map: DestinationMap): ActualDestination[] {
  const { OVERLAY, NODE, ON_LINK, LOCAL } = layout.DestinationFlags
  const entries = [...map.entries()].filter(([, { flags }]) => (flags & LOCAL) === 0)
  return entries.map(([key, { node, flags }]) => ({
    prefix: toPrefix(key),
    nodeAddress: node,
    routing: flags & OVERLAY ? 'vxlan' : 'native',
    kind: flags & NODE ? 'node' : 'pods',
    onLink: (flags & ON_LINK) !== 0,
  }))
}
