// Read-only views of the pinned maps, for the CLI and the API. They need the pins alone and so
// work while the agent is away.

import type { Library } from '../libbpf/library.ts'
import { BpfMap } from '../libbpf/map.ts'
import type { Address } from '../net/address.ts'
import type {
  ActualDestination,
  ActualEndpoint,
  ActualFrontend,
  ActualMap,
  ActualMapEntry,
  FlowNext,
  FlowRecord,
  PacketCount,
  RecentConnection,
} from '../tables/actual.ts'
import type { Codec } from './codec.ts'
import { readDestinations } from './destinations.ts'
import { KernelMap } from './entry-map.ts'
import { readEpoch } from './epoch.ts'
import * as layout from './layout.gen.ts'
import { pinsUnder } from './pins.ts'
import { readFrontends } from './service-read.ts'

/** Where the pins are. */
export interface Inspected {
  readonly library: Library
  readonly bpfRoot: string
}

/** Flows of one pinned root; embryos after the established ones. `limit` counts entries. */
export function listFlows(
  inspected: Inspected,
  { limit = Number.POSITIVE_INFINITY } = {},
): FlowRecord[] {
  const epoch = withMap(inspected, 'epoch', readEpoch)
  const records: FlowRecord[] = []
  for (const name of ['flows', 'embryos'] as const) {
    withMap(inspected, name, (map) => {
      for (const [key, value] of new KernelMap(map, layout.maps[name]).entries()) {
        if (records.length >= limit) return
        records.push(toFlowRecord(key, value, { embryo: name === 'embryos', epoch }))
      }
    })
  }
  return records
}

function toFlowRecord(
  tuple: layout.Tuple,
  flow: layout.Flow,
  { embryo, epoch }: { embryo: boolean; epoch: number },
): FlowRecord {
  const flags = flagNames(flow.flags)
  const closing = flags.includes('fin') || flags.includes('rst')
  const next = layout.flowNextNames.get(flow.next)?.toLowerCase() as FlowNext
  return {
    state: embryo ? 'embryo' : closing ? 'closing' : 'established',
    direction: flags.includes('reverse') ? 'reverse' : 'forward',
    tuple,
    out: flow.out,
    next,
    ...(isNoAddress(flow.node) ? {} : { node: flow.node }),
    fromIfindex: flow.fromIfindex,
    toIfindex: flow.toIfindex,
    serviceId: flow.serviceId,
    egressRule: flow.egressRule,
    ingressRule: flow.ingressRule,
    flags,
    // The programs' coarse clock and hrtime are both CLOCK_MONOTONIC.
    idleSeconds: Math.max(0, process.hrtime()[0] - flow.lastSeen),
    stale: flow.epoch !== epoch,
    packets: flow.packets,
    bytes: flow.bytes,
  }
}

function flagNames(flags: number): string[] {
  return [...layout.flowFlagsNames]
    .filter(([bit]) => (flags & bit) !== 0)
    .map(([, name]) => name.toLowerCase())
}

function isNoAddress(address: Address): boolean {
  return address === '::' || address === '0.0.0.0'
}

/** Connections that are in no flow table, as far as they are remembered. */
export function listRecent(inspected: Inspected): RecentConnection[] {
  const [now] = process.hrtime()
  const ageOf = (seconds: number): number => Math.max(0, now - seconds)
  return withMap(inspected, 'recent', (map) =>
    [...new KernelMap(map, layout.maps.recent).entries()].map(([connection, value]) => {
      const { denied, lastDenied, lastSeen } = value
      return {
        ...{ ...connection, denied },
        ...(lastDenied === 0 ? {} : { deniedAge: ageOf(lastDenied) }),
        ...(lastSeen === 0 ? {} : { endedAge: ageOf(lastSeen) }),
      }
    }),
  )
}

/** What map `endpoints` holds; interface names are not in it. */
export function listEndpoints(inspected: Inspected): ActualEndpoint[] {
  return withMap(inspected, 'endpoints', (map) =>
    [...new KernelMap(map, layout.maps.endpoints).entries()].map(([{ address }, endpoint]) => {
      const { ifindex, id, mac, hostMac, mtu } = endpoint
      return { address, id, ifindex, mac, hostMac, mtu }
    }),
  )
}

export function listFrontends(inspected: Inspected): ActualFrontend[] {
  return withMap(inspected, 'services', (services) =>
    withMap(inspected, 'backends', (backends) =>
      readFrontends(
        new KernelMap(services, layout.maps.services),
        new KernelMap(backends, layout.maps.backends),
      ),
    ),
  )
}

export function listDestinations(inspected: Inspected): ActualDestination[] {
  return withMap(inspected, 'destinations', (map) =>
    readDestinations(new KernelMap(map, layout.maps.destinations)),
  )
}

/** A metric's key is direction << METRIC_SHIFT | slot (bpf/lib/metrics.h). */
const METRIC_SHIFT = 6

/** Packets by reason and direction, all CPUs and ways out together. */
export function countPackets(inspected: Inspected): PacketCount[] {
  const counts = new Map<string, { packets: bigint; bytes: bigint }>()
  for (const { direction, slot, packets, bytes } of readMetrics(inspected)) {
    if (slot >= layout.MetricSlot.AUDITED) continue
    const reason = slot >= layout.MetricSlot.FORWARDED ? 'none' : reasonName(slot)
    const key = `${reason} ${direction}`
    const sum = counts.get(key) ?? { packets: 0n, bytes: 0n }
    counts.set(key, { packets: sum.packets + packets, bytes: sum.bytes + bytes })
  }
  return [...counts].map(([key, { packets, bytes }]) => {
    const [reason = '', direction = ''] = key.split(' ')
    return { reason, direction, packets, bytes }
  })
}

/** Connections that policy would have denied, had their namespace not only been watched. */
export function countAudited(inspected: Inspected): { egress: bigint; ingress: bigint } {
  const rows = readMetrics(inspected)
  const { EGRESS, INGRESS } = layout.PolicyDirection
  const total = (direction: number): bigint =>
    rows
      .filter(({ slot }) => slot === layout.MetricSlot.AUDITED + direction)
      .reduce((sum, { packets }) => sum + packets, 0n)
  return { egress: total(EGRESS), ingress: total(INGRESS) }
}

/** Drops whose event did not fit into the ring buffer, since the maps were made. */
export function countLostEvents(inspected: Inspected): bigint {
  return readMetrics(inspected)
    .filter(({ slot }) => slot === layout.MetricSlot.EVENTS_LOST)
    .reduce((sum, { packets }) => sum + packets, 0n)
}

function readMetrics(inspected: Inspected) {
  const { key: keyCodec, value: codec } = layout.maps.metrics
  return withMap(inspected, 'metrics', (map) =>
    [...map.entries()].flatMap(([key, values]) => {
      const number = keyCodec.fromBytes(key)
      const cpus = perCpu(codec, values)
      const packets = cpus.reduce((sum, cpu) => sum + cpu.packets, 0n)
      const bytes = cpus.reduce((sum, cpu) => sum + cpu.bytes, 0n)
      if (packets === 0n) return []
      const slot = number & ((1 << METRIC_SHIFT) - 1)
      return [{ direction: directionName(number >> METRIC_SHIFT), slot, packets, bytes }]
    }),
  )
}

/** "from_pod" for a number of enum direction. */
export function directionName(direction: number): string {
  return layout.directionNames.get(direction)?.toLowerCase() ?? String(direction)
}

/** "no_endpoint" for a number of enum drop_reason. */
export function reasonName(reason: number): string {
  return layout.dropReasonNames.get(reason)?.toLowerCase() ?? String(reason)
}

/** Every pinned map; only counting entries walks them. */
export function listMaps(inspected: Inspected, { count = true } = {}): ActualMap[] {
  return pinsUnder(inspected.bpfRoot)
    .maps.names()
    .map((name) =>
      withMap(inspected, name, (map) => {
        const { id, type, keySize, valueSize, maxEntries } = map
        const evicts = type.startsWith('lru')
        const shape = { name, id, type, keySize, valueSize, maxEntries, evicts }
        const counted = count && /hash|trie/.test(type)
        return counted ? { ...shape, entries: countEntries(map) } : shape
      }),
    )
}

function countEntries(map: BpfMap): number {
  let count = 0
  for (const _ of map.entries()) count++
  return count
}

/** Entries of a pinned map, decoded where the agent knows its layout. */
export function dumpMap(inspected: Inspected, name: string): ActualMapEntry[] {
  return withMap(inspected, name, (map) =>
    [...map.entries()].map(([key, value]) => toMapEntry(name, key, value)),
  )
}

/** One entry by the bytes of its key, or undefined. Throws on a key of another length. */
export function getMapEntry(
  inspected: Inspected,
  name: string,
  key: Uint8Array,
): ActualMapEntry | undefined {
  return withMap(inspected, name, (map) => {
    if (key.length !== map.keySize) {
      throw new Error(
        `Cannot look up ${name}: its keys are ${map.keySize} bytes, not ${key.length}`,
      )
    }
    const value = map.lookup(key)
    return value && toMapEntry(name, key, value)
  })
}

function toMapEntry(name: string, key: Uint8Array, value: Uint8Array): ActualMapEntry {
  const known = Object.values(layout.maps).find((map) => map.name === name)
  const codecs = known && 'key' in known ? known : undefined
  return {
    key: decode(codecs?.key, key),
    value: decode(codecs?.value, value),
    keyHex: Buffer.from(key).toString('hex'),
    valueHex: Buffer.from(value).toString('hex'),
  }
}

/** Fields by name; a per-CPU value has its CPUs under `cpus`; nothing where no codec is known. */
function decode(codec: Codec<unknown> | undefined, bytes: Uint8Array): Record<string, unknown> {
  if (!codec) return {}
  if (bytes.length !== codec.size) return { cpus: perCpu(codec, bytes) }
  const value = codec.fromBytes(bytes)
  return typeof value === 'object' ? (value as Record<string, unknown>) : { value }
}

/** The kernel rounds each CPU's value up to 8 bytes. */
function perCpu<T>(codec: Codec<T>, bytes: Uint8Array): T[] {
  const stride = Math.ceil(codec.size / 8) * 8
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const count = Math.floor(bytes.length / stride)
  return Array.from({ length: count }, (_, cpu) => codec.decode(view, cpu * stride))
}

export function withMap<T>(
  { library, bpfRoot }: Inspected,
  name: string,
  read: (map: BpfMap) => T,
): T {
  const { maps } = pinsUnder(bpfRoot)
  if (!maps.has(name)) {
    throw new Error(`Cannot open map ${name}: nothing is pinned at ${maps.path(name)}`)
  }
  const map = BpfMap.openPinned(library, maps.path(name))
  try {
    return read(map)
  } finally {
    map.close()
  }
}
