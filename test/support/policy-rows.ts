// Policy for the packet fixtures: the maps as the agent would have written them, at once.

import * as layout from '../../src/datapath/layout.gen.ts'
import { cidrTable, identityTable, podPolicyTable } from '../../src/datapath/policy-pairs.ts'
import { PodPolicies } from '../../src/datapath/policy-pods.ts'
import { PolicySets } from '../../src/datapath/policy-sets.ts'
import type { Address } from '../../src/net/address.ts'
import {
  POLICY_CLOSED,
  POLICY_OPEN,
  type PolicyEntry,
  type PolicyVerdict,
} from '../../src/tables/policy.ts'
import type { World } from './world.ts'

export interface PodRules {
  /** Absent: not isolated. */
  readonly ingress?: readonly PolicyEntry[] | 'closed'
  readonly egress?: readonly PolicyEntry[] | 'closed'
  readonly audit?: boolean
}

export interface PolicyWish {
  readonly pods: Readonly<Record<Address, PodRules>>
  readonly identities?: Readonly<Record<Address, number>>
  readonly cidrs?: Readonly<Record<string, number>>
}

export interface Allowed {
  readonly protocol?: number
  readonly port?: number
  readonly portBits?: number
  readonly verdict?: PolicyVerdict
  readonly ruleId?: number
}

/** An entry of a set; everything from the identity, as rule 1, unless said otherwise. */
export function entry(identity: number, more: Allowed = {}): PolicyEntry {
  const { protocol = 0, port = 0, verdict = 'allow', ruleId = 1 } = more
  const portBits = more.portBits ?? (more.port === undefined ? 0 : 16)
  return { identity, protocol, port, portBits, verdict, ruleId }
}

/** Puts the whole policy in place of the one before. Flows are not told: bump the epoch. */
export function enforce(world: World, { pods, identities = {}, cidrs = {} }: PolicyWish): void {
  const { maps } = layout
  for (const map of [maps.identities, maps.cidrIdentities, maps.podPolicies, maps.policy]) {
    const entries = world.entries<object, object>(map as never)
    entries.deleteMany([...entries.keys()])
  }
  const sets = new PolicySets(world.entries(maps.policy))
  const podPolicies = new PodPolicies(sets)
  const wishes = new Map<string, layout.EndpointPolicy | undefined>()
  let last = 0
  const setOf = (
    direction: 'ingress' | 'egress',
    entries: readonly PolicyEntry[] | 'closed' | undefined,
  ): number => {
    if (!entries) return POLICY_OPEN
    if (entries === 'closed') return POLICY_CLOSED
    const id = ++last
    const living = { before: () => true, after: () => true }
    sets.stage([id], () => ({ id, direction, entries }), living)
    return id
  }
  for (const [text, { ingress, egress, audit = false }] of Object.entries(pods)) {
    const address = text as Address
    const row = {
      ...{ address, endpoint: '', audit },
      ingress: setOf('ingress', ingress),
      egress: setOf('egress', egress),
    }
    wishes.set(address, podPolicies.wish(address, row).value)
  }
  put(identityTable(world.entries(maps.identities)), new Map(Object.entries(identities)))
  put(cidrTable(world.entries(maps.cidrIdentities)), new Map(Object.entries(cidrs)))
  put(podPolicyTable(world.entries(maps.podPolicies)), wishes)
}

function put<V>(
  table: {
    stage(changes: ReadonlyMap<string, V>, generation: number): ReadonlyMap<string, Error>
    commit(): void
    equalise(): void
  },
  values: ReadonlyMap<string, V>,
): void {
  const [failure] = table.stage(values, 0).values()
  if (failure) throw failure
  table.commit()
  table.equalise()
}
