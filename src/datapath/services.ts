// Keeps maps `services`, `backends` and `source_ranges` equal to the frontends table. A backend set
// is never changed in place: a new set is written under a new id, the frontend is swapped to it,
// and the old set goes when no program can still be reading it. So a packet meets the old set or
// the new one, whole.
import type { Prefix } from '../net/prefix.ts'
import { type Failures, NO_FAILURES, type Operations } from '../state/reconciler.ts'
import type { Backend, Frontend } from '../tables/desired.ts'
import { frontendKey } from '../tables/tables.ts'
import type { Ended } from './flow-gc.ts'
import * as layout from './layout.gen.ts'
import { NamedNumbers } from './numbers.ts'
import { collectSet, protocolOf, readSets, type ServiceMap } from './service-read.ts'
import { type BackendMap, type BackendSet, BackendSets } from './service-sets.ts'
import { familyProblem, portName, sameValue, toKey, toValue } from './service-values.ts'
import { type SourceRangeMap, SourceRanges } from './source-ranges.ts'
import {
  type Before,
  backendName,
  type Known,
  knownOf,
  leftBehind,
  type Present,
  presentOf,
  sameKnown,
  serving,
  toEnded,
  whatEnds,
} from './udp-endings.ts'

/** A frontend as the kernel holds it. */
interface Held {
  readonly key: layout.ServiceKey
  readonly value: layout.Service
  readonly internal: BackendSet
  readonly external: BackendSet
  readonly ranges: readonly Prefix[]
  /** Name of the service port that the number belongs to; '' while nobody has asked since start. */
  readonly port: string
  /** Of UDP: see udp-endings.ts. */
  readonly known: Known
}

export interface ServiceMaps {
  readonly services: ServiceMap
  readonly backends: BackendMap
  readonly sourceRanges: SourceRangeMap
}

export interface ServicesOptions {
  /** How long a replaced set stays; a program runs far shorter than the default, a second. */
  readonly graceMs?: number
  /** Slots of a Maglev set, a prime. */
  readonly maglevSize?: number
  /** Ends UDP flows: to backends that serve no more, and past new frontends. */
  readonly endFlows?: (ended: readonly Ended[]) => void
  /** Ends UDP sockets of these frontends that are at other endpoints. */
  readonly endSockets?: (present: Present) => void
  /** Whom UDP flows are with; asked once, after restore(). */
  readonly inUse?: () => Promise<readonly Ended[]>
}

interface Plan extends Omit<Held, 'known'> {
  readonly row: Frontend
  readonly before: Held | undefined
}

const DEFAULT_MAGLEV_SIZE = 1021

export class Services implements Operations<Frontend> {
  readonly #services: ServiceMap
  readonly #backends: BackendMap
  readonly #options: ServicesOptions
  readonly #sets: BackendSets
  readonly #ranges: SourceRanges
  readonly #numbers = new NamedNumbers()
  readonly #held = new Map<string, Held>()
  #isRestored = false

  constructor(maps: ServiceMaps, options: ServicesOptions = {}) {
    this.#services = maps.services
    this.#backends = maps.backends
    this.#options = options
    this.#sets = new BackendSets(maps.backends, options.graceMs ?? 1000)
    this.#ranges = new SourceRanges(maps.sourceRanges)
  }

  /** Takes over numbers and sets from the pinned maps, so that the first round changes nothing. */
  restore(): void {
    this.#isRestored = true
    const sets = readSets(this.#backends)
    for (const id of sets.keys()) this.#sets.reserve(id)
    this.#ranges.restore()
    for (const [key, value] of this.#services.entries()) {
      this.#numbers.restore(value.id)
      const protocol = protocolOf(key.protocol)
      if (!protocol) continue
      const restoreSet = ({ id, count }: layout.ServiceSet): BackendSet => {
        const { backends } = collectSet(sets.get(id), count)
        const isMaglev = (value.flags & layout.ServiceFlags.MAGLEV) !== 0
        return { id, count, serviceId: value.id, backends, maglevSize: isMaglev ? count : 0 }
      }
      const [internal, external] = [restoreSet(value.internal), restoreSet(value.external)]
      for (const set of [internal, external]) this.#sets.restore(set)
      const known = protocol === 'UDP' ? serving([...internal.backends, ...external.backends]) : []
      const held = { key, value, internal, external, ranges: [], port: '', known }
      this.#held.set(frontendKey({ ...key, protocol }), held)
    }
  }

  async update(rows: readonly Frontend[]): Promise<Failures> {
    const failures = new Map<string, Error>()
    const fresh = new Map<BackendSet, BackendSet | undefined>()
    // Who was here before the restart claims its number first.
    const known = rows.filter((row) => this.#held.has(frontendKey(row)))
    const added = rows.filter((row) => !this.#held.has(frontendKey(row)))
    const plans = [...known, ...added].flatMap((row) => {
      const problem = familyProblem(row)
      if (problem) failures.set(frontendKey(row), problem)
      return problem ? [] : (this.#plan(row, fresh) ?? [])
    })
    const failed = this.#sets.write(fresh)
    const good = plans.filter((plan) => {
      const error =
        failed.get(plan.internal) ??
        failed.get(plan.external) ??
        this.#ranges.grow(plan.value.id, plan.ranges)
      if (error) this.#undo(plan, error, failures)
      return !error
    })
    this.#writeFrontends(good, failures)
    return failures
  }

  async delete(rows: readonly Frontend[]): Promise<Failures> {
    // Root first: nothing may find the frontend once its backends go.
    this.#services.deleteMany(rows.map(toKey))
    const ended: Ended[] = []
    for (const row of rows) {
      const name = frontendKey(row)
      const held = this.#held.get(name)
      if (!held) continue
      this.#held.delete(name)
      this.#release(held)
      if (row.protocol === 'UDP') ended.push(toEnded(row, 0))
    }
    if (ended.length > 0) this.#options.endFlows?.(ended)
    return NO_FAILURES
  }

  /** Also repairs what somebody else changed in the maps, and removes sets that nobody names. */
  async prune(rows: readonly Frontend[]): Promise<void> {
    const wanted = new Set(rows.map(frontendKey))
    const extra: layout.ServiceKey[] = []
    const present = new Map<string, layout.Service>()
    for (const [key, value] of this.#services.entries()) {
      const protocol = protocolOf(key.protocol)
      const name = protocol && frontendKey({ ...key, protocol })
      if (name === undefined || !wanted.has(name)) extra.push(key)
      else present.set(name, value)
    }
    this.#services.deleteMany(extra)
    for (const [name, held] of this.#held) {
      if (wanted.has(name)) continue
      this.#held.delete(name)
      this.#release(held)
    }
    this.#numbers.forgetRestored()
    this.#sets.repair()
    const ranges = new Map<number, readonly Prefix[]>()
    for (const { value, ranges: of } of this.#held.values()) {
      if (of.length > 0) ranges.set(value.id, [...(ranges.get(value.id) ?? []), ...of])
    }
    this.#ranges.prune(ranges)
    const changed = [...this.#held].filter(([name, { value }]) => {
      const now = present.get(name)
      return !now || !sameValue(now, value)
    })
    this.#services.updateMany(changed.map(([, { key, value }]) => [key, value] as const))
    // Endpoints that went while nobody was here to see it.
    const endpoints = presentOf(rows)
    if (endpoints.size > 0) this.#options.endSockets?.(endpoints)
    if (this.#isRestored) await this.#endFlowsLeftBehind(rows)
    this.#isRestored = false
  }

  async #endFlowsLeftBehind(rows: readonly Frontend[]): Promise<void> {
    const { inUse, endFlows } = this.#options
    const numbered = rows.map(
      (row) => [this.#held.get(frontendKey(row))?.value.id ?? 0, row] as const,
    )
    const ended = leftBehind((await inUse?.()) ?? [], numbered)
    if (ended.length > 0) endFlows?.(ended)
  }

  /** Forgets pending deletions of old sets: the next start prunes them. */
  stop(): void {
    this.#sets.stop()
  }

  /** What the row asks for, its sets and number held; undefined when the kernel has it so. */
  #plan(row: Frontend, fresh: Map<BackendSet, BackendSet | undefined>): Plan | undefined {
    const before = this.#held.get(frontendKey(row))
    const port = portName(row)
    const ranges = row.sourceRanges ?? []
    const id = this.#numbers.hold(port, before?.value.id)
    const hold = (backends: readonly Backend[], replaced: BackendSet | undefined): BackendSet => {
      const wish = { serviceId: id, backends, maglevSize: this.#maglevSize(row) }
      const { set, isNew } = this.#sets.hold(wish)
      if (isNew) fresh.set(set, replaced)
      return set
    }
    const internal = hold(row.backends, before?.internal)
    const external = hold(row.externalBackends, before?.external)
    const value = toValue(row, id, internal, external)
    const plan = { key: toKey(row), value, internal, external, ranges, port, row, before }
    if (!before || !sameValue(before.value, value)) return plan
    if (String(before.ranges) !== String(ranges) || !['', port].includes(before.port)) return plan
    if (!sameKnown(before.known, knownOf(row))) return plan
    const isRestored = before.port === ''
    this.#release({ internal, external, port: isRestored ? '' : port })
    if (isRestored) this.#held.set(frontendKey(row), { ...before, port })
    return undefined
  }

  #maglevSize({ balancing }: Frontend): number {
    return balancing === 'maglev' ? (this.#options.maglevSize ?? DEFAULT_MAGLEV_SIZE) : 0
  }

  #writeFrontends(plans: readonly Plan[], failures: Map<string, Error>): void {
    const ended = new Map<string, Ended>()
    const bereft: Frontend[] = []
    const failed = this.#services.updateMany(plans.map(({ key, value }) => [key, value] as const))
    plans.forEach((plan, at) => {
      const error = failed.get(at)
      if (error) {
        this.#undo(plan, error, failures)
        return
      }
      const { row, before, ...held } = plan
      const { flows, sockets, known } = whatEnds(row, before && asBefore(before, held.value))
      for (const each of flows) ended.set(`${each.serviceId} ${backendName(each)}`, each)
      if (sockets) bereft.push(row)
      this.#held.set(frontendKey(row), { ...held, known })
      if (before) this.#release(before)
    })
    this.#shrinkRanges(new Set(plans.map(({ value }) => value.id)))
    if (ended.size > 0) this.#options.endFlows?.([...ended.values()])
    if (bereft.length > 0) this.#options.endSockets?.(presentOf(bereft))
  }

  /**
   * Removes what no frontend of these service ports asks for any more, once all of them stand: a
   * port's other frontends have no ranges, and those not seen since a restart might.
   */
  #shrinkRanges(ids: ReadonlySet<number>): void {
    const ranged = new Set([...ids].filter((id) => this.#ranges.has(id)))
    if (ranged.size === 0) return
    const held = [...this.#held.values()].filter(({ value }) => ranged.has(value.id))
    for (const { value, port } of held) if (port === '') ranged.delete(value.id)
    for (const id of ranged) {
      const wanted = held.flatMap(({ value, ranges }) => (value.id === id ? ranges : []))
      this.#ranges.shrink(id, wanted)
    }
  }

  #release({ internal, external, port }: Pick<Held, 'internal' | 'external' | 'port'>): void {
    this.#sets.release(internal)
    this.#sets.release(external)
    if (port !== '') this.#numbers.release(port)
  }

  /** The row that failed keeps what it had. */
  #undo(plan: Plan, error: Error, failures: Map<string, Error>): void {
    const name = frontendKey(plan.row)
    const text = `Cannot serve ${plan.row.service} at ${name}: ${error.message}`
    failures.set(name, new Error(text, { cause: error }))
    this.#release(plan)
  }
}

function asBefore({ known, value }: Held, now: layout.Service): Before {
  const isForwardedAlike = ((value.flags ^ now.flags) & layout.ServiceFlags.DSR) === 0
  return { known, serviceId: value.id, isForwardedAlike }
}
