// Frontends and their backends as the maps hold them: for restoring, for showing and for drift.
import { formatAddressPort } from '../net/address.ts'
import { type Protocol, protocolNumber } from '../net/protocol.ts'
import type { ActualBackend, ActualFrontend } from '../tables/actual.ts'
import type { EntryMap } from './entry-map.ts'
import type * as layout from './layout.gen.ts'
import type { BackendMap } from './service-sets.ts'

export type ServiceMap = EntryMap<layout.ServiceKey, layout.Service>

export function protocolOf(number: number): Protocol | undefined {
  return (['TCP', 'UDP', 'SCTP'] as const).find((name) => protocolNumber(name) === number)
}

/** Every set by id: its backends by slot. */
export function readSets(map: BackendMap): Map<number, Map<number, ActualBackend>> {
  const sets = new Map<number, Map<number, ActualBackend>>()
  for (const [{ setId, slot }, { address, port, hits }] of map.entries()) {
    const set = sets.get(setId)
    if (set) set.set(slot, { address, port, hits })
    else sets.set(setId, new Map([[slot, { address, port, hits }]]))
  }
  return sets
}

/** The backends of a set, each once with all its hits, and how many slots have none. */
export function collectSet(
  set: ReadonlyMap<number, ActualBackend> | undefined,
  count: number,
): { backends: ActualBackend[]; missing: number } {
  const found = new Map<string, ActualBackend>()
  let missing = 0
  for (let slot = 0; slot < count; slot++) {
    const backend = set?.get(slot)
    if (!backend) {
      missing++
      continue
    }
    const name = formatAddressPort(backend.address, backend.port)
    const before = found.get(name)
    found.set(name, before ? { ...before, hits: before.hits + backend.hits } : backend)
  }
  return { backends: [...found.values()], missing }
}

/** What the maps hold. */
export function readFrontends(services: ServiceMap, backends: BackendMap): ActualFrontend[] {
  const sets = readSets(backends)
  const frontends: ActualFrontend[] = []
  for (const [key, { id, internal, external, affinitySeconds }] of services.entries()) {
    const protocol = protocolOf(key.protocol)
    if (!protocol) continue
    const { address, port } = key
    const inside = collectSet(sets.get(internal.id), internal.count)
    const outside = collectSet(sets.get(external.id), external.count)
    frontends.push({
      ...{ address, port, protocol, id, affinitySeconds },
      setId: internal.id,
      backends: inside.backends,
      externalSetId: external.id,
      externalBackends: outside.backends,
      missingBackends: inside.missing + (external.id === internal.id ? 0 : outside.missing),
    })
  }
  return frontends
}
