// What compiled policy says of a connection, from the rows alone: the programs' question
// (bpf/lib/policy.h) without maps, for asking about policies that are not in force.
import { type Address, addressFamily } from '../net/address.ts'
import { type Prefix, prefixContains, prefixLength } from '../net/prefix.ts'
import {
  type EndpointPolicy,
  IDENTITY,
  POLICY_CLOSED,
  POLICY_OPEN,
  type PolicyConnection,
  type PolicyDirection,
  type PolicyEntry,
} from '../tables/policy.ts'
import type { Tables } from '../tables/tables.ts'

export interface Judgement {
  readonly allowed: boolean
  /** The rule that denies, else one that allows; absent: nothing isolates either end. */
  readonly rule?: string
}

type PolicyRows = Pick<
  Tables,
  | 'nodes'
  | 'addressIdentities'
  | 'cidrIdentities'
  | 'policySets'
  | 'endpointPolicies'
  | 'policyRules'
>

type SetIndex = ReadonlyMap<number, readonly PolicyEntry[]>

/** Asks for connections as seen on one node, of rows that do not change meanwhile. */
export class PolicyJudge {
  readonly #tables: PolicyRows
  readonly #own: ReadonlySet<Address>
  readonly #prefixes: readonly { readonly prefix: Prefix; readonly identity: number }[]
  readonly #levels = new Map<Address, readonly number[]>()
  readonly #sets = new Map<number, SetIndex>()

  /** `own`: addresses of this node, its gateways included. */
  constructor(tables: PolicyRows, own: Iterable<Address>) {
    this.#tables = tables
    this.#own = new Set(own)
    this.#prefixes = [...tables.cidrIdentities.rows()].sort(
      (a, b) => prefixLength(b.prefix) - prefixLength(a.prefix),
    )
  }

  judge(connection: PolicyConnection): Judgement {
    const egress = this.side('egress', connection)
    if (egress && !egress.allowed) return egress
    return this.side('ingress', connection) ?? egress ?? { allowed: true }
  }

  /** What one end says; undefined: nothing isolates it, or it is not asked. */
  side(direction: PolicyDirection, connection: PolicyConnection): Judgement | undefined {
    const { source, destination } = connection
    if (source === destination || (direction === 'ingress' && this.#own.has(source))) return
    const [own, peer] = direction === 'egress' ? [source, destination] : [destination, source]
    const row = this.#tables.endpointPolicies.get(own)
    if (!row || row[direction] === POLICY_OPEN) return undefined
    const found = this.#search(row[direction], peer, connection)
    return { allowed: found?.verdict === 'allow' || row.audit, rule: this.#why(row, found) }
  }

  #why({ address, closed }: EndpointPolicy, entry: PolicyEntry | undefined): string {
    if (closed) return `${closed.condition}: ${closed.text}`
    const rule = entry && this.#tables.policyRules.get(String(entry.ruleId))
    return rule?.text ?? `isolation of ${address}: no rule allows it`
  }

  /** The longest port prefix of the first level that has any. */
  #search(
    setId: number,
    peer: Address,
    { protocol, port }: PolicyConnection,
  ): PolicyEntry | undefined {
    if (setId === POLICY_CLOSED) return undefined
    const set = this.#setOf(setId)
    for (const identity of this.#levelsOf(peer)) {
      for (const asked of [protocol, 0]) {
        const [longest] = (set.get(identity) ?? [])
          .filter((entry) => entry.protocol === asked)
          .filter((entry) => (entry.port ^ port) >> (16 - entry.portBits) === 0)
          .sort((a, b) => b.portBits - a.portBits)
        if (longest) return longest
      }
    }
    return undefined
  }

  #setOf(id: number): SetIndex {
    const known = this.#sets.get(id)
    if (known) return known
    const entries = this.#tables.policySets.get(String(id))?.entries ?? []
    const index = Map.groupBy(entries, ({ identity }) => identity)
    this.#sets.set(id, index)
    return index
  }

  #levelsOf(peer: Address): readonly number[] {
    const known = this.#levels.get(peer)
    if (known) return known
    const levels = this.#findLevels(peer)
    this.#levels.set(peer, levels)
    return levels
  }

  /** The peer's own identity, its group when it is a pod, everybody. */
  #findLevels(peer: Address): number[] {
    const known = this.#tables.addressIdentities.get(peer)?.identity ?? 0
    if (known >= IDENTITY.firstPod) {
      const group = addressFamily(peer) === 4 ? IDENTITY.pods4 : IDENTITY.pods6
      return [known, group, IDENTITY.any]
    }
    const block = this.#prefixes.find(({ prefix }) => prefixContains(prefix, peer))?.identity
    const kind = this.#kindOf(peer)
    const group = kind === IDENTITY.unknownPod ? [kind] : []
    return [block ?? kind, ...group, IDENTITY.any]
  }

  #kindOf(peer: Address): number {
    if (this.#own.has(peer)) return IDENTITY.host
    for (const { addresses, podCidrs } of this.#tables.nodes.rows()) {
      if (addresses.includes(peer)) return IDENTITY.nodes
      if (podCidrs.some((prefix) => prefixContains(prefix, peer))) return IDENTITY.unknownPod
    }
    return IDENTITY.world
  }
}
