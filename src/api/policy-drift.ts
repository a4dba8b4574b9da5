// Where the kernel's policy of a pod is not as wanted, entry by entry, in words.
import type { ActualPodPolicy, ActualPodRules } from '../tables/actual.ts'
import {
  type EndpointPolicy,
  POLICY_CLOSED,
  POLICY_OPEN,
  type PolicyDirection,
  type PolicyEntry,
} from '../tables/policy.ts'
import type { Tables } from '../tables/tables.ts'
import { identityHolders } from './identity-view.ts'
import { formatEntry, identityNames, whoIs } from './policy-words.ts'

const DIRECTIONS = ['ingress', 'egress'] as const

export class PolicyDrift {
  readonly #tables: Tables
  readonly #actual: ReadonlyMap<string, ActualPodPolicy>
  readonly #names: ReadonlyMap<number, string>

  /** `actual`: by the address of a local pod. */
  constructor(tables: Tables, actual: ReadonlyMap<string, ActualPodPolicy>) {
    this.#tables = tables
    this.#actual = actual
    this.#names = identityNames(identityHolders(tables))
  }

  /** Of an address of a local pod; pods that are not compiled yet differ from nothing. */
  of(address: string): readonly string[] {
    const wanted = this.#tables.endpointPolicies.get(address)
    const actual = this.#actual.get(address)
    if (!wanted) return []
    if (!actual) return [`${address} is not in map pod_policies, so nothing isolates it`]
    const [wish, is] = [wanted, actual].map(({ audit }) => (audit ? 'only watched' : 'enforced'))
    return [
      ...(wish === is ? [] : [`${address} is ${is}, not ${wish}`]),
      ...DIRECTIONS.flatMap((direction) => this.#rules(direction, wanted, actual)),
    ]
  }

  /** Addresses that have policy in the kernel, and are no pod's here. */
  get extra(): string[] {
    return [...this.#actual.keys()].filter((each) => !this.#tables.endpointPolicies.get(each))
  }

  #rules(direction: PolicyDirection, row: EndpointPolicy, actual: ActualPodPolicy): string[] {
    const [wanted, is] = [this.#wanted(row[direction]), actual[direction]]
    const differs = (text: string): string => `${row.address}: ${direction} ${text}`
    if (typeof wanted === 'string' || typeof is === 'string') {
      return wanted === is ? [] : [differs(`is ${stateOf(is)}, not ${stateOf(wanted)}`)]
    }
    const left = new Map(is.map((entry) => [keyOf(entry), entry]))
    const texts = wanted.flatMap((entry) => {
      const found = left.get(keyOf(entry))
      left.delete(keyOf(entry))
      if (!found) return [`lacks ${this.#describe(entry)}`]
      const isSame = found.verdict === entry.verdict && found.ruleId === entry.ruleId
      return isSame ? [] : [`has ${this.#describe(found)}, not ${this.#describe(entry)}`]
    })
    const extra = [...left.values()].map(
      (entry) => `has ${this.#describe(entry)}, which nobody asked for`,
    )
    return [...texts, ...extra].map(differs)
  }

  #wanted(id: number): ActualPodRules {
    if (id === POLICY_OPEN) return 'open'
    if (id === POLICY_CLOSED) return 'closed'
    return this.#tables.policySets.get(String(id))?.entries ?? []
  }

  /** "shop/front: TCP 80 (NetworkPolicy shop/api, ingress rule 1)". */
  #describe(entry: PolicyEntry): string {
    const { identity, ruleId } = entry
    const rule = this.#tables.policyRules.get(String(ruleId))?.text ?? `rule ${ruleId}`
    return `"${whoIs(identity, this.#names)}: ${formatEntry(entry)}" (${rule})`
  }
}

function stateOf(rules: ActualPodRules): string {
  return typeof rules === 'string' ? rules : 'isolated'
}

function keyOf({ identity, protocol, port, portBits }: PolicyEntry): string {
  return `${identity} ${protocol} ${port} ${portBits}`
}
