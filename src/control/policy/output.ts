// Writes the tables of policy, what is pointed to before what points to it; and knows before the
// kernel does what would not fit.

import {
  type CidrIdentity,
  type EndpointPolicy,
  POLICY_CLOSED,
  POLICY_OPEN,
  type PolicyClosure,
  type PolicyEntry,
  type PolicyRule,
} from '../../tables/policy.ts'
import type { Tables } from '../../tables/tables.ts'
import { endpointKey } from '../../tables/tables.ts'
import type { Local } from './locals.ts'
import type { Recipe } from './recipes.ts'

export interface Outcome {
  readonly rules: Iterable<PolicyRule>
  readonly recipes: readonly Recipe[]
  readonly locals: Iterable<Local>
  readonly prefixes: Iterable<CidrIdentity>
}

export class PolicyOutput {
  readonly #tables: Tables
  readonly #budget: number

  constructor(tables: Tables, budget: number) {
    this.#tables = tables
    this.#budget = budget
  }

  write({ rules, recipes, locals, prefixes }: Outcome): void {
    const { policyRules, policySets, endpointPolicies, cidrIdentities, addressIdentities } =
      this.#tables
    const refused = this.#refused(recipes)
    policyRules.replaceAll(rules)
    const sets = recipes.filter((recipe) => !refused.has(recipe))
    // Their content is compared when they are compiled: here only what is new or no longer is.
    const ids = new Set(sets.map(({ id }) => String(id)))
    for (const { id, direction, entries } of sets) {
      const known = policySets.get(String(id))
      if (known?.entries !== entries) policySets.upsert({ id, direction, entries })
    }
    cidrIdentities.replaceAll(prefixes)
    endpointPolicies.replaceAll(endpointRows(locals, refused))
    for (const { key } of [...policySets.entries()]) if (!ids.has(key)) policySets.delete(key)
    const tables = [policyRules, policySets, cidrIdentities, addressIdentities, endpointPolicies]
    for (const table of tables) table.markInitialized()
  }

  /** The largest sets give way, so that the fewest endpoints are closed. */
  #refused(recipes: readonly Recipe[]): ReadonlyMap<Recipe, PolicyClosure> {
    const refused = new Map<Recipe, PolicyClosure>()
    let total = 0
    for (const recipe of recipes) total += recipe.entries.length
    if (total <= this.#budget) return refused
    const needed = total
    const bySize = [...recipes].sort(
      (a, b) => b.entries.length - a.entries.length || (a.key < b.key ? -1 : 1),
    )
    for (const recipe of bySize) {
      if (total <= this.#budget) break
      total -= recipe.entries.length
      const text =
        `its ${recipe.direction} policies need ${recipe.entries.length} entries; ` +
        `the policies of this node need ${needed}, and there is room for ${this.#budget}`
      refused.set(recipe, { condition: 'PolicyTooLarge', text })
    }
    return refused
  }
}

/** A direction that does not fit closes its own direction. */
function* endpointRows(
  locals: Iterable<Local>,
  refused: ReadonlyMap<Recipe, PolicyClosure>,
): IterableIterator<EndpointPolicy> {
  for (const { endpoint, ingress, egress, unknown, audit, policies } of locals) {
    const idOf = (recipe: Recipe | undefined): number => {
      if (unknown !== undefined) return POLICY_CLOSED
      if (!recipe) return POLICY_OPEN
      return refused.has(recipe) ? POLICY_CLOSED : recipe.id
    }
    const tooLarge = (ingress && refused.get(ingress)) ?? (egress && refused.get(egress))
    const closed: PolicyClosure | undefined =
      unknown === undefined ? tooLarge : { condition: 'PodUnknown', text: unknown }
    for (const address of endpoint.addresses) {
      yield {
        ...{ address, endpoint: endpointKey(endpoint), audit },
        ...{ ingress: idOf(ingress), egress: idOf(egress) },
        ...(policies.length > 0 ? { policies } : {}),
        ...(closed ? { closed } : {}),
      }
    }
  }
}

/** Equal but for entries of identities that are nobody's before or after. Both are sorted. */
export function isSameForOthers(
  before: readonly PolicyEntry[],
  after: readonly PolicyEntry[],
  isNew: (identity: number) => boolean,
): boolean {
  let at = 0
  for (const entry of before) {
    if (isNew(entry.identity)) continue
    while (at < after.length && isNew(after[at]?.identity ?? 0)) at++
    const other = after[at++]
    if (!other || !isSameEntry(entry, other)) return false
  }
  while (at < after.length && isNew(after[at]?.identity ?? 0)) at++
  return at === after.length
}

function isSameEntry(a: PolicyEntry, b: PolicyEntry): boolean {
  return (
    a.identity === b.identity &&
    a.protocol === b.protocol &&
    a.port === b.port &&
    a.portBits === b.portBits &&
    a.verdict === b.verdict &&
    a.ruleId === b.ruleId
  )
}
