// Keeps maps `services` and `backends` equal to the frontends table. A backend set is never
// changed in place: a new set is written under a new id, the frontend is swapped to it, and the
// old set goes when no program can still be reading it. So a packet meets the old set or the new
// one, whole.
import { addressFamily } from '../net/address.ts'
import { protocolNumber } from '../net/protocol.ts'
import { type Failures, NO_FAILURES, type Operations } from '../state/reconciler.ts'
import type { Backend, Frontend } from '../tables/desired.ts'
import { frontendKey } from '../tables/tables.ts'
import type { Purged } from './flow-gc.ts'
import type * as layout from './layout.gen.ts'
import {
  type BackendMap,
  completeSet,
  protocolOf,
  readSets,
  type ServiceMap,
  sameBackends,
  setEntries,
} from './service-sets.ts'

/** A frontend as the kernel holds it. */
interface Held {
  readonly key: layout.ServiceKey
  readonly id: number
  /** 0 when there are no backends. */
  readonly setId: number
  readonly backends: readonly Backend[]
}

export interface ServicesOptions {
  /** How long a replaced set stays; a program runs far shorter than the default, a second. */
  readonly graceMs?: number
  /** Ends the flows to a backend that is gone; for UDP, whose flows never end by themselves. */
  readonly purge?: (gone: Purged) => void
}

interface Plan extends Held {
  readonly row: Frontend
  readonly before: Held | undefined
}

export class Services implements Operations<Frontend> {
  readonly #services: ServiceMap
  readonly #backends: BackendMap
  readonly #options: ServicesOptions
  readonly #held = new Map<string, Held>()
  readonly #ids: Numbers = new Numbers()
  readonly #setIds: Numbers = new Numbers()
  readonly #retired = new Set<NodeJS.Timeout>()

  constructor(services: ServiceMap, backends: BackendMap, options: ServicesOptions = {}) {
    this.#services = services
    this.#backends = backends
    this.#options = options
  }

  /** Takes over ids and sets from the pinned maps, so that the first round changes nothing. */
  restore(): void {
    const sets = readSets(this.#backends)
    for (const setId of sets.keys()) this.#setIds.take(setId)
    for (const [key, { id, internal }] of this.#services.entries()) {
      const protocol = protocolOf(key.protocol)
      const { id: setId, count } = internal
      this.#ids.take(id)
      if (!protocol) continue
      const { backends } = completeSet(sets.get(setId), count)
      this.#held.set(frontendKey({ ...key, protocol }), { key, id, setId, backends })
    }
  }

  async update(rows: readonly Frontend[]): Promise<Failures> {
    const failures = new Map<string, Error>()
    const plans: Plan[] = []
    for (const row of rows) {
      const name = frontendKey(row)
      const before = this.#held.get(name)
      if (before && sameBackends(before.backends, row.backends)) continue
      const mixed = row.backends.find(
        (b) => addressFamily(b.address) !== addressFamily(row.address),
      )
      if (mixed) {
        const text = `Cannot send ${name} to ${mixed.address}: families differ`
        failures.set(name, new Error(text))
        continue
      }
      const setId = row.backends.length > 0 ? this.#setIds.next() : 0
      const id = before?.id ?? this.#ids.next()
      plans.push({ key: toKey(row), id, setId, backends: row.backends, row, before })
    }
    this.#writeFrontends(this.#writeSets(plans, failures), failures)
    return failures
  }

  async delete(rows: readonly Frontend[]): Promise<Failures> {
    // Root first: nothing may find the frontend once its backends go.
    this.#services.deleteMany(rows.map(toKey))
    for (const row of rows) {
      const name = frontendKey(row)
      const held = this.#held.get(name)
      if (!held) continue
      this.#held.delete(name)
      this.#ids.free(held.id)
      this.#retire(held)
      this.#purge(held, [])
    }
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
      this.#ids.free(held.id)
    }
    this.#repair(present)
  }

  /** Forgets pending deletions of old sets: the next start prunes them. */
  stop(): void {
    for (const timer of this.#retired) clearTimeout(timer)
    this.#retired.clear()
  }

  #repair(present: ReadonlyMap<string, layout.Service>): void {
    const counts = new Map<number, number>()
    const orphans: layout.BackendKey[] = []
    const live = new Set([...this.#held.values()].map(({ setId }) => setId))
    for (const key of this.#backends.keys()) {
      counts.set(key.setId, (counts.get(key.setId) ?? 0) + 1)
      // Retired sets have a timer of their own, which finds nothing left: that is fine.
      if (!live.has(key.setId) && this.#retired.size === 0) orphans.push(key)
    }
    for (const { key, id, setId, backends } of this.#held.values()) {
      if ((counts.get(setId) ?? 0) < backends.length) {
        this.#backends.updateMany(setEntries(setId, backends))
      }
      const name = frontendKey({ ...key, protocol: protocolOf(key.protocol) ?? 'TCP' })
      const value = toValue(id, setId, backends)
      const now = present.get(name)
      const same =
        now?.id === id &&
        sameSet(now.internal, value.internal) &&
        sameSet(now.external, value.external)
      if (!same) this.#services.updateMany([[key, value]])
    }
    this.#backends.deleteMany(orphans)
    for (const { setId } of orphans) this.#setIds.free(setId)
  }

  /** Leaves first: every new set, whole. Answers the plans whose set stands. */
  #writeSets(plans: readonly Plan[], failures: Map<string, Error>): Plan[] {
    const entries: [layout.BackendKey, layout.Backend][] = []
    const owners: Plan[] = []
    for (const plan of plans) {
      for (const entry of setEntries(plan.setId, plan.backends)) {
        entries.push(entry)
        owners.push(plan)
      }
    }
    const failed = new Map<Plan, Error>()
    for (const [at, error] of this.#backends.updateMany(entries)) {
      const plan = owners[at]
      if (plan) failed.set(plan, error)
    }
    for (const [plan, error] of failed) this.#undo(plan, error, failures)
    return plans.filter((plan) => !failed.has(plan))
  }

  #writeFrontends(plans: readonly Plan[], failures: Map<string, Error>): void {
    const failed = this.#services.updateMany(
      plans.map(({ key, id, setId, backends }) => {
        return [key, toValue(id, setId, backends)] as const
      }),
    )
    plans.forEach((plan, at) => {
      const error = failed.get(at)
      if (error) {
        this.#undo(plan, error, failures)
        return
      }
      const { key, id, setId, backends } = plan
      this.#held.set(frontendKey(plan.row), { key, id, setId, backends })
      if (!plan.before) return
      this.#retire(plan.before)
      this.#purge(plan.before, backends)
    })
  }

  #undo(plan: Plan, error: Error, failures: Map<string, Error>): void {
    failures.set(frontendKey(plan.row), error)
    this.#backends.deleteMany(setEntries(plan.setId, plan.backends).map(([key]) => key))
    if (plan.setId !== 0) this.#setIds.free(plan.setId)
    if (!plan.before) this.#ids.free(plan.id)
  }

  #purge({ key, backends }: Held, now: readonly Backend[]): void {
    const { purge } = this.#options
    if (!purge || protocolOf(key.protocol) !== 'UDP') return
    const kept = new Set(now.map(({ address, port }) => `${address} ${port}`))
    for (const { address, port } of backends) {
      if (!kept.has(`${address} ${port}`)) purge({ address, port, protocol: 'UDP' })
    }
  }

  #retire({ setId, backends }: Held): void {
    if (setId === 0) return
    const timer = setTimeout(() => {
      this.#retired.delete(timer)
      this.#backends.deleteMany(setEntries(setId, backends).map(([key]) => key))
      this.#setIds.free(setId)
    }, this.#options.graceMs ?? 1000)
    timer.unref()
    this.#retired.add(timer)
  }
}

/** Hands out numbers from 1, ever upwards, never one in use, beginning again after 2^32 - 1. */
class Numbers {
  readonly #used = new Set<number>()
  #last = 0

  next(): number {
    do this.#last = this.#last >= 0xffff_ffff ? 1 : this.#last + 1
    while (this.#used.has(this.#last))
    this.#used.add(this.#last)
    return this.#last
  }

  take(number: number): void {
    this.#used.add(number)
    this.#last = Math.max(this.#last, number)
  }

  free(number: number): void {
    this.#used.delete(number)
  }
}

function toKey({ address, port, protocol }: Frontend): layout.ServiceKey {
  return { address, port, protocol: protocolNumber(protocol) }
}

function toValue(id: number, setId: number, backends: readonly Backend[]): layout.Service {
  const set = { id: setId, count: backends.length }
  return { id, internal: set, external: set, affinitySeconds: 0, flags: 0 }
}

function sameSet(a: layout.ServiceSet, b: layout.ServiceSet): boolean {
  return a.id === b.id && a.count === b.count
}
