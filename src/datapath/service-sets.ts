// Backend sets and frontends as the two maps hold them: reading, comparing, writing out.
import { type Protocol, protocolNumber } from '../net/protocol.ts'
import type { ActualFrontend } from '../tables/actual.ts'
import type { Backend } from '../tables/desired.ts'
import type { EntryMap } from './entry-map.ts'
import type * as layout from './layout.gen.ts'

export type ServiceMap = EntryMap<layout.ServiceKey, layout.Service>
export type BackendMap = EntryMap<layout.BackendKey, layout.Backend>

export function setEntries(
  setId: number,
  backends: readonly Backend[],
): [layout.BackendKey, layout.Backend][] {
  return backends.map(({ address, port }, slot) => [
    { setId, slot },
    { address, port, hits: 0n },
  ])
}

export function sameBackends(a: readonly Backend[], b: readonly Backend[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  return a.every(({ address, port }, at) => address === b[at]?.address && port === b[at]?.port)
}

export function protocolOf(number: number): Protocol | undefined {
  return (['TCP', 'UDP', 'SCTP'] as const).find((name) => protocolNumber(name) === number)
}

/** Every set by id: its backends by slot. */
export function readSets(map: BackendMap): Map<number, Map<number, Backend>> {
  const sets = new Map<number, Map<number, Backend>>()
  for (const [{ setId, slot }, backend] of map.entries()) {
    const set = sets.get(setId)
    if (set) set.set(slot, backend)
    else sets.set(setId, new Map([[slot, backend]]))
  }
  return sets
}

export function completeSet(
  set: ReadonlyMap<number, Backend> | undefined,
  count: number,
): { backends: Backend[]; missing: number } {
  const backends: Backend[] = []
  for (let slot = 0; slot < count; slot++) {
    const backend = set?.get(slot)
    if (backend) backends.push({ address: backend.address, port: backend.port })
  }
  return { backends, missing: count - backends.length }
}

/** What the maps hold, for showing and for drift. */
export function readFrontends(services: ServiceMap, backends: BackendMap): ActualFrontend[] {
  const sets = readSets(backends)
  const frontends: ActualFrontend[] = []
  for (const [key, { id, internal }] of services.entries()) {
    const protocol = protocolOf(key.protocol)
    const { id: setId, count } = internal
    if (!protocol) continue
    const { backends: held, missing } = completeSet(sets.get(setId), count)
    const { address, port } = key
    const where = { address, port, protocol, id, setId }
    frontends.push({ ...where, backends: held, missingBackends: missing })
  }
  return frontends
}
