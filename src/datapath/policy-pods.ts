// Which sets each local pod's address has, and who has to be written again when a set moves.
import { type EndpointPolicy, POLICY_CLOSED, POLICY_OPEN } from '../tables/policy.ts'
import * as layout from './layout.gen.ts'
import { KINDS_SHIFT } from './policy-layout.ts'
import type { PolicySets } from './policy-sets.ts'

export class PodPolicies {
  readonly #sets: PolicySets
  readonly #users = new Map<number, Set<string>>()
  readonly #uses = new Map<string, readonly number[]>()

  constructor(sets: PolicySets) {
    this.#sets = sets
  }

  /** Addresses whose rows name the set. */
  usersOf(id: number): Iterable<string> {
    return this.#users.get(id) ?? []
  }

  /** What the row wishes in the map's terms, closed where a set is missing: then says why. */
  wish(
    address: string,
    row: EndpointPolicy | undefined,
  ): { value: layout.EndpointPolicy | undefined; problem?: Error } {
    this.#note(address, row ? [row.ingress, row.egress] : [])
    if (!row) return { value: undefined }
    const { PRESENT, AUDIT } = layout.EndpointPolicyFlags
    const ingress = this.#numberOf(row.ingress)
    const egress = this.#numberOf(row.egress)
    const why = ingress.problem ?? egress.problem
    const value = {
      ingressPolicy: ingress.number,
      egressPolicy: egress.number,
      flags:
        PRESENT |
        (row.audit ? AUDIT : 0) |
        (egress.kinds << KINDS_SHIFT.egress) |
        (ingress.kinds << KINDS_SHIFT.ingress),
    }
    if (!why) return { value }
    return { value, problem: new Error(`Cannot let ${address} talk: ${why}; it is closed`) }
  }

  #numberOf(id: number): { number: number; kinds: number; problem?: string } {
    if (id === POLICY_OPEN || id === POLICY_CLOSED) return { number: id, kinds: 0 }
    const set = this.#sets.get(id)
    if (set) return { number: set.number, kinds: set.kinds }
    const problem = this.#sets.problem(id)?.message ?? `there is no set ${id}`
    return { number: POLICY_CLOSED, kinds: 0, problem }
  }

  #note(address: string, ids: readonly number[]): void {
    for (const id of this.#uses.get(address) ?? []) {
      const users = this.#users.get(id)
      if (users?.delete(address) && users.size === 0) this.#users.delete(id)
    }
    for (const id of ids) {
      const users = this.#users.get(id)
      if (users) users.add(address)
      else this.#users.set(id, new Set([address]))
    }
    if (ids.length > 0) this.#uses.set(address, ids)
    else this.#uses.delete(address)
  }
}
