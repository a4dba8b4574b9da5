// What the entries of a single identity follow from, kept from when a recipe was compiled as a
// whole: an identity that comes or goes is then told by itself, and nobody else looked at.
import type { Prefix } from '../../net/prefix.ts'
import type { Decisions, Grounds, NumberedClause } from './decisions.ts'
import type { Identity, Peer } from './identities.ts'

export type FamilyCount = 'count4' | 'count6'
export const FAMILIES = ['count4', 'count6'] as const

/** Clauses by their places in the recipe. */
type Places = readonly number[]

/** Which clauses mean an identity. */
export interface Meaning {
  readonly byPeer: ReadonlyMap<Peer, Places>
  /** Of their blocks, also for addresses that are no pod's. */
  readonly byPrefix: ReadonlyMap<Prefix, Places>
  /** For everybody or all pods, and by the ports that a pod gives names. */
  readonly byPorts: Places
}

export interface Ground {
  readonly meaning: Meaning
  readonly numbered: readonly NumberedClause[]
  readonly grounds: Grounds
  /** Clauses for everybody and for all pods. */
  readonly allPods: Places
  /** What all pods of a family get: by those, and by clauses that mean most of them. */
  readonly groups: Readonly<Record<FamilyCount, Decisions>>
  /** Some clause is said of all pods that means only most: the others have entries too. */
  readonly hasLifted: boolean
  /** As many identities may come or go before other clauses might mean most. */
  slack: number
}

/** In their order. */
export function placesOf(
  { byPeer, byPrefix, byPorts }: Meaning,
  { peers, prefix, ports }: Identity,
): Places {
  const found = new Set<number>(ports.length > 0 ? byPorts : [])
  for (const peer of peers) for (const at of byPeer.get(peer) ?? []) found.add(at)
  if (prefix !== undefined) for (const at of byPrefix.get(prefix) ?? []) found.add(at)
  return found.size < 2 ? [...found] : [...found].sort((a, b) => a - b)
}

/** Identities, of one family, that there are and that each plain clause for some of them means. */
export interface Sizes {
  readonly total: number
  readonly ofClauses: ReadonlyMap<number, number>
}

/** Clauses that mean most of at least so `many`. */
export function liftedClauses({ total, ofClauses }: Sizes, many: number): readonly number[] {
  if (total < many) return []
  const lifted = [...ofClauses].filter(([, size]) => size >= many && size * 2 > total)
  return lifted.map(([at]) => at).sort((a, b) => a - b)
}

/** Each identity changes `size * 2 - total` by one at the most. */
export function slackOf({ total, ofClauses }: Sizes, many: number): number {
  let slack = Math.max(total + 1, many)
  for (const size of ofClauses.values()) {
    const isLifted = total >= many && size >= many && size * 2 > total
    const distance = isLifted
      ? Math.min(size * 2 - total, size - many + 1, total - many + 1)
      : Math.max(total - size * 2 + 1, many - size, many - total)
    slack = Math.min(slack, distance)
  }
  return slack
}
