// What the datapath answers, from the rows alone: the walk of bpf/lib/policy.h and identity.h in
// TypeScript.
import type { Address } from '../../src/net/address.ts'
import { type Prefix, prefixContains, prefixLength } from '../../src/net/prefix.ts'
import {
  IDENTITY,
  POLICY_CLOSED,
  POLICY_OPEN,
  type PolicyDirection,
  type PolicyEntry,
  type PolicySet,
} from '../../src/tables/policy.ts'
import type { Tables } from '../../src/tables/tables.ts'

export interface Question {
  readonly source: Address
  readonly destination: Address
  /** IANA number. */
  readonly protocol: number
  readonly port: number
}

/** What the datapath knows beside the tables of policy. */
export interface Surroundings {
  readonly own: readonly Address[]
  readonly nodes: readonly Address[]
  readonly podCidrs: readonly Prefix[]
}

export interface Answer {
  readonly allowed: boolean
  readonly ruleId: number
  readonly entry?: PolicyEntry
}

export class PolicyModel {
  readonly #tables: Tables
  readonly #around: Surroundings
  readonly #sets = new Map<number, ReadonlyMap<string, PolicyEntry>>()

  constructor(tables: Tables, around: Surroundings) {
    this.#tables = tables
    this.#around = around
  }

  /** One direction: of the source's policies, or of the destination's. */
  ask(direction: PolicyDirection, question: Question): Answer {
    const { source, destination } = question
    const isEgress = direction === 'egress'
    const of = this.#tables.endpointPolicies.get(isEgress ? source : destination)
    const isOwn = !isEgress && this.#around.own.includes(source)
    if (!of || source === destination || isOwn) return { allowed: true, ruleId: 0 }
    const id = of[direction]
    if (id === POLICY_OPEN) return { allowed: true, ruleId: 0 }
    if (id === POLICY_CLOSED) return { allowed: false, ruleId: 0 }
    const entry = this.#search(this.#set(id), isEgress ? destination : source, question)
    return entry
      ? { allowed: entry.verdict === 'allow', ruleId: entry.ruleId, entry }
      : { allowed: false, ruleId: 0 }
  }

  identify(address: Address): { identity: number; group: number } {
    const known = this.#tables.addressIdentities.get(address)?.identity ?? 0
    if (known >= IDENTITY.firstPod) {
      return { identity: known, group: address.includes(':') ? IDENTITY.pods6 : IDENTITY.pods4 }
    }
    const { own, nodes, podCidrs } = this.#around
    const isNode = own.includes(address) || nodes.includes(address)
    const isPod =
      known === IDENTITY.unknownPod ||
      (!isNode && podCidrs.some((prefix) => prefixContains(prefix, address)))
    const group = isPod ? IDENTITY.unknownPod : 0
    const cidr = this.#cidr(address)
    if (cidr !== 0) return { identity: cidr, group }
    if (own.includes(address)) return { identity: IDENTITY.host, group }
    if (isPod) return { identity: IDENTITY.unknownPod, group }
    return { identity: nodes.includes(address) ? IDENTITY.nodes : IDENTITY.world, group }
  }

  #cidr(address: Address): number {
    let best = -1
    let found = 0
    for (const { prefix, identity } of this.#tables.cidrIdentities.rows()) {
      if (!prefixContains(prefix, address)) continue
      const length = prefixLength(prefix)
      if (length > best) {
        best = length
        found = identity
      }
    }
    return found
  }

  #search(
    set: ReadonlyMap<string, PolicyEntry>,
    peer: Address,
    { protocol, port }: Question,
  ): PolicyEntry | undefined {
    const { identity, group } = this.identify(peer)
    for (const level of [identity, ...(group === 0 ? [] : [group]), IDENTITY.any]) {
      for (const proto of [protocol, 0]) {
        for (let bits = 16; bits >= 0; bits--) {
          const entry = set.get(keyOf(level, proto, bits, port))
          if (entry) return entry
        }
      }
    }
    return undefined
  }

  #set(id: number): ReadonlyMap<string, PolicyEntry> {
    let set = this.#sets.get(id)
    if (!set) {
      const row = this.#tables.policySets.get(String(id))
      if (!row) throw new Error(`Cannot ask set ${id}: there is none`)
      set = index(row)
      this.#sets.set(id, set)
    }
    return set
  }
}

function index({ id, entries }: PolicySet): ReadonlyMap<string, PolicyEntry> {
  const found = new Map<string, PolicyEntry>()
  for (const entry of entries) {
    const key = keyOf(entry.identity, entry.protocol, entry.portBits, entry.port)
    if (found.has(key)) throw new Error(`Cannot use set ${id}: ${key} is there twice`)
    found.set(key, entry)
  }
  return found
}

function keyOf(identity: number, protocol: number, bits: number, port: number): string {
  return `${identity} ${protocol} ${bits} ${bits === 0 ? 0 : port >> (16 - bits)}`
}
