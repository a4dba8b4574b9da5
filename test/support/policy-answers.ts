// What the programs would answer: once as they read the maps (bpf/lib/policy.h in TypeScript), and
// once straight from the rows. Both for connections of pods, by addresses alone.

import * as layout from '../../src/datapath/layout.gen.ts'
import type { PolicyMaps, PolicyTables } from '../../src/datapath/policy.ts'
import { cidrPrefixOf } from '../../src/datapath/policy-layout.ts'
import { type Address, addressFamily } from '../../src/net/address.ts'
import { prefixContains, prefixLength } from '../../src/net/prefix.ts'
import {
  IDENTITY,
  POLICY_CLOSED,
  POLICY_OPEN,
  type PolicyDirection,
  type PolicyEntry,
} from '../../src/tables/policy.ts'

export interface Connection {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly port: number
}

/** "allow 7": verdict and rule of one side; "open": nothing isolates the pod. */
type Answer = string
type Lookup = (
  identity: number,
  protocol: number,
) => Pick<PolicyEntry, 'verdict' | 'ruleId'> | undefined

/** Both sides' answers. */
export function askMaps(maps: PolicyMaps, generation: number, connection: Connection): Answer {
  const side = (direction: PolicyDirection): Answer => {
    const [own, peer] = ends(connection, direction)
    const half = maps.pods.get({ address: own })?.of[generation & 1]
    if (!half || !(half.flags & layout.EndpointPolicyFlags.PRESENT)) return 'not asked'
    const policyId = direction === 'egress' ? half.egressPolicy : half.ingressPolicy
    const kinds = half.flags >> (direction === 'egress' ? 8 : 16)
    if (policyId === POLICY_OPEN) return 'open'
    const known = maps.identities.get({ address: peer })?.identity[generation & 1] ?? 0
    return decide({
      own: known || cidrInMaps(maps, generation, peer) || IDENTITY.world,
      group: known ? groupOf(peer) : 0,
      kinds,
      protocol: connection.protocol,
      lookup: (identity, protocol) => {
        for (const bits of [16, 15, 0]) {
          const port = bits === 0 ? 0 : connection.port & (0xffff << (16 - bits))
          const toward = direction === 'egress' ? 0 : 1
          const key = { prefixLength: 80 + bits, policyId, identity, protocol, direction: toward }
          const rule = maps.rules.get({ ...key, port })
          if (rule) return { verdict: rule.verdict === 1 ? 'allow' : 'deny', ruleId: rule.ruleId }
        }
        return undefined
      },
    })
  }
  return `${side('egress')}, ${side('ingress')}`
}

export function askRows(tables: PolicyTables, connection: Connection): Answer {
  const side = (direction: PolicyDirection): Answer => {
    const [own, peer] = ends(connection, direction)
    const row = tables.endpointPolicies.get(own)
    if (!row) return 'not asked'
    const id = row[direction]
    if (id === POLICY_OPEN) return 'open'
    const entries = tables.policySets.get(String(id))?.entries ?? []
    const known = tables.addressIdentities.get(peer)?.identity ?? 0
    return decide({
      own: known || cidrInRows(tables, peer) || IDENTITY.world,
      group: known ? groupOf(peer) : 0,
      kinds: id === POLICY_CLOSED ? 0 : 63,
      protocol: connection.protocol,
      lookup: (identity, protocol) =>
        entries
          .filter((entry) => entry.identity === identity && entry.protocol === protocol)
          .filter(({ port, portBits }) => (port ^ connection.port) >> (16 - portBits) === 0)
          .sort((a, b) => b.portBits - a.portBits)[0],
    })
  }
  return `${side('egress')}, ${side('ingress')}`
}

function ends({ source, destination }: Connection, direction: PolicyDirection) {
  return direction === 'egress'
    ? ([source, destination] as const)
    : ([destination, source] as const)
}

function groupOf(address: Address): number {
  return addressFamily(address) === 4 ? IDENTITY.pods4 : IDENTITY.pods6
}

function decide(question: {
  own: number
  group: number
  kinds: number
  protocol: number
  lookup: Lookup
}): Answer {
  const { own, group, kinds, protocol, lookup } = question
  let kind = 0
  for (const identity of [own, group, IDENTITY.any]) {
    for (const asked of [protocol, 0]) {
      const isAsked = kinds & (1 << kind++) && (identity !== 0 || kind > 4)
      const rule = isAsked ? lookup(identity, asked) : undefined
      if (rule) return `${rule.verdict} ${rule.ruleId}`
    }
  }
  return 'deny 0'
}

function cidrInMaps(maps: PolicyMaps, generation: number, address: Address): number {
  const held = [...maps.cidrs.entries()].map(
    ([key, { identity }]) => [cidrPrefixOf(key), identity[generation & 1] ?? 0] as const,
  )
  const [longest] = held
    .filter(([prefix]) => prefixContains(prefix, address))
    .sort(([a], [b]) => prefixLength(b) - prefixLength(a))
  return longest?.[1] ?? 0
}

function cidrInRows({ cidrIdentities }: PolicyTables, address: Address): number {
  const rows = [...cidrIdentities.rows()].filter(({ prefix }) => prefixContains(prefix, address))
  rows.sort((a, b) => prefixLength(b.prefix) - prefixLength(a.prefix))
  return rows[0]?.identity ?? 0
}
