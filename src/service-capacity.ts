// Do the Services fit into their maps? Counted from the rows, so it is known before a map is full,
// and said once when it becomes true.
import type { Problem } from './kube/conditions.ts'
import type { Logger } from './observe/log.ts'
import type { Entry, Table } from './state/table.ts'
import type { Backend, Frontend } from './tables/desired.ts'

export interface ServiceCapacityOptions {
  readonly frontends: Table<Frontend>
  /** Slots of a Maglev table. */
  readonly maglevSize: number
  /** Entries that a map has room for; undefined while it is not there. */
  readonly roomOf: (map: ServiceMapName) => number | undefined
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly now?: () => number
}

export type ServiceMapName = 'services' | 'backends'
type Fill = 'room' | 'near' | 'over'

/** From here on people are told. Sets that are swapped are there twice for a second. */
const NEAR = 0.9
/** All rows are looked at: not after each of a hundred rounds a second. */
const PAUSE_MS = 10_000

export class ServiceCapacity {
  readonly #options: ServiceCapacityOptions
  readonly #now: () => number
  readonly #fills = new Map<ServiceMapName, Fill>()
  #problems: readonly Problem[] = []
  #lookedAt = -Infinity
  #timer: NodeJS.Timeout | undefined

  constructor(options: ServiceCapacityOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  /** What is wrong, as of the last look. */
  problems(): readonly Problem[] {
    return this.#problems
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** A round of the frontends is over: looks now, or when the pause is. */
  observeRound(): void {
    const restMs = this.#lookedAt + PAUSE_MS - this.#now()
    if (restMs <= 0) this.#look()
    else this.#timer ??= setTimeout(() => this.#look(), restMs).unref()
  }

  #look(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#lookedAt = this.#now()
    const { frontends, maglevSize, roomOf } = this.#options
    const problems: Problem[] = []
    for (const [map, need] of Object.entries(serviceNeeds(frontends.rows(), maglevSize))) {
      const name = map as ServiceMapName
      const room = roomOf(name)
      if (room === undefined) continue
      const fill = need > room ? 'over' : need >= room * NEAR ? 'near' : 'room'
      if (fill !== 'room') problems.push(describe(name, fill, need, room))
      this.#tell(name, fill, { need, room })
    }
    this.#problems = problems
  }

  #tell(map: ServiceMapName, fill: Fill, facts: { need: number; room: number }): void {
    const before = this.#fills.get(map) ?? 'room'
    this.#fills.set(map, fill)
    if (before === fill) return
    const { log } = this.#options
    if (fill === 'room') log.info({ map, ...facts }, 'Services have room again')
    else if (fill === 'near') log.warn({ map, ...facts }, 'Services will soon not fit')
    else log.warn({ map, ...facts }, 'Not all Services fit')
  }
}

function describe(map: ServiceMapName, fill: Fill, need: number, room: number): Problem {
  const state = `Services need ${need} of the ${room} entries of map ${map}`
  const name = map === 'services' ? 'ServiceMap' : 'BackendMap'
  return fill === 'over'
    ? { reason: `${name}Full`, text: `Cannot serve every Service: ${state}` }
    : { reason: `${name}NearlyFull`, text: `Cannot promise room: ${state}` }
}

/** Frontends of one service port share their sets: the same array is there once. */
export function serviceNeeds(
  rows: Iterable<Frontend>,
  maglevSize: number,
): Record<ServiceMapName, number> {
  const sets = new Set<readonly Backend[]>()
  const needs = { services: 0, backends: 0 }
  for (const { backends, externalBackends, balancing } of rows) {
    needs.services++
    for (const set of [backends, externalBackends]) {
      if (set.length === 0 || sets.has(set)) continue
      sets.add(set)
      needs.backends += balancing === 'maglev' ? Math.max(maglevSize, 1) : set.length
    }
  }
  return needs
}

/** "namespace/name" of those with a frontend that the kernel does not have as wanted. */
export function unservedServices(entries: Iterable<Entry<Frontend>>): string[] {
  const names = new Set<string>()
  for (const { row, status } of entries) if (status.state === 'error') names.add(row.service)
  return [...names].sort()
}
