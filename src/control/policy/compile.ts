// A recipe to the entries of its set. First what holds for everybody, then for all pods, then for
// each identity that some clause means: only where it differs from what it would find without.
// Of identities that come or go later only their own entries are made.

import type { Prefix } from '../../net/prefix.ts'
import { IDENTITY, type PolicyEntry } from '../../tables/policy.ts'
import { decide, type Grounds, type NumberedClause } from './decisions.ts'
import { entriesFor, entriesForAll, type Template } from './entries.ts'
import { FAMILIES, type Ground, liftedClauses, placesOf, type Sizes, slackOf } from './ground.ts'
import type { Identities, Identity, Peer } from './identities.ts'
import type { PrefixClasses } from './prefixes.ts'
import { type Recipe, type RecipeClause, rangesFor } from './recipes.ts'

export interface World {
  readonly identities: Identities
  readonly classes: PrefixClasses
  /** The number of a prefix's identity. */
  readonly cidrNumber: (prefix: Prefix) => number
  /** How many identities have addresses of a family. */
  readonly totals: { readonly count4: number; readonly count6: number }
  /**
   * A clause that means most pods of a family, and at least so many identities, is said of all of
   * them, and the exceptions are written instead.
   */
  readonly many: number
}

/** Whom the clauses mean, by their places in the recipe. */
interface Meant {
  readonly identities: Map<Identity, number[]>
  readonly prefixes: Map<Prefix, number[]>
}

type Write = (identity: number, templates: readonly Template[]) => void

export interface Compiled {
  /** Sorted. */
  readonly entries: readonly PolicyEntry[]
  readonly ground: Ground
}

export function compile(recipe: Recipe, world: World): Compiled {
  const { clauses } = recipe
  const grounds = groundsOf(recipe)
  const numbered = clauses.map((each): NumberedClause => numberedClause(each, each.ranges))
  const scoped = (...scopes: RecipeClause['scope'][]) =>
    clauses.flatMap(({ scope }, at) => (scopes.includes(scope) ? [at] : []))
  const everybody = scoped('any')
  const allPods = scoped('any', 'pods')
  const meant = whomMeans(clauses, world)
  const sizes = FAMILIES.map((family) => sizesOf(meant, clauses, world, family))
  const [lifted4 = [], lifted6 = []] = sizes.map((each) => liftedClauses(each, world.many))
  const decideBy = (places: Iterable<number>) =>
    decide(
      inOrder(places).flatMap((at) => numbered[at] ?? []),
      grounds,
    )
  const anybody = decideBy(everybody)
  const groups = {
    count4: decideBy([...allPods, ...lifted4]),
    count6: decideBy([...allPods, ...lifted6]),
  }
  const ground: Ground = {
    ...{ numbered, grounds, allPods, groups, hasLifted: lifted4.length + lifted6.length > 0 },
    meaning: {
      ...{ byPeer: peersOf(clauses), byPrefix: meant.prefixes },
      byPorts: scoped('any', 'pods').filter((at) => (clauses[at]?.named.length ?? 0) > 0),
    },
    slack: Math.min(...sizes.map((each) => slackOf(each, world.many))),
  }
  const { entries, write } = writer()
  write(IDENTITY.any, entriesForAll(anybody))
  write(IDENTITY.unknownPod, entriesFor(decideBy(allPods), [anybody]))
  write(IDENTITY.pods4, entriesFor(groups.count4, [anybody]))
  write(IDENTITY.pods6, entriesFor(groups.count6, [anybody]))
  const concerned = ground.hasLifted ? world.identities.all() : meant.identities.keys()
  writePods(recipe, ground, concerned, (identity) => meant.identities.get(identity), write)
  const byPlaces = remember((places: readonly number[]) =>
    entriesFor(decideBy([...everybody, ...places]), [anybody]),
  )
  for (const [prefix, places] of meant.prefixes) write(world.cidrNumber(prefix), byPlaces(places))
  return { entries: entries.sort(compareEntries), ground }
}

/** Beyond so many it costs less to compile the whole. */
const LARGE_PART = 1000

/**
 * The entries of a recipe after these identities have come, gone or changed; undefined: only the
 * whole tells.
 */
export function recompile(
  recipe: Recipe,
  { identities }: World,
  changed: readonly Identity[],
): readonly PolicyEntry[] | undefined {
  const { ground } = recipe
  if (!ground || ground.slack <= 0 || changed.length > LARGE_PART) return undefined
  const places = new Map<Identity, readonly number[]>()
  for (const identity of changed) {
    if (!identities.isAlive(identity)) continue
    const found = placesOf(ground.meaning, identity)
    if (found.length > 0 || ground.hasLifted) places.set(identity, found)
  }
  const { entries, write } = writer()
  writePods(recipe, ground, places.keys(), (identity) => places.get(identity), write)
  const numbers = new Set(changed.map(({ number }) => number))
  const others = recipe.entries.filter(({ identity }) => !numbers.has(identity))
  if (others.length === recipe.entries.length && entries.length === 0) return recipe.entries
  return [...others, ...entries].sort(compareEntries)
}

function writer(): { entries: PolicyEntry[]; write: Write } {
  const entries: PolicyEntry[] = []
  const write: Write = (identity, templates) => {
    for (const template of templates) entries.push({ identity, ...template })
  }
  return { entries, write }
}

function peersOf(clauses: readonly RecipeClause[]): Map<Peer, number[]> {
  const places = new Map<Peer, number[]>()
  for (const [at, { scope, peers }] of clauses.entries()) {
    if (scope === 'some') for (const peer of new Set(peers)) push(places, peer, at)
  }
  return places
}

function groundsOf({ isolatedBy }: Recipe): Grounds {
  return {
    isolated:
      isolatedBy === 0
        ? undefined
        : { verdict: 'deny', ruleId: isolatedBy, layer: 'NetworkPolicy' },
    open: { verdict: 'allow', ruleId: 0, layer: 'default' },
  }
}

function numberedClause(
  { clause, ruleId }: RecipeClause,
  ranges: RecipeClause['ranges'],
): NumberedClause {
  return { layer: clause.layer, action: clause.action, ranges, ruleId }
}

/** Clauses for everybody and for all pods are left out, but where a peer's own ports count. */
function whomMeans(clauses: readonly RecipeClause[], { identities, classes }: World): Meant {
  const meant: Meant = { identities: new Map(), prefixes: new Map() }
  for (const [at, { scope, peers, blocks, named }] of clauses.entries()) {
    const found = new Set<Identity>()
    if (scope !== 'some' && named.length > 0) {
      for (const identity of identities.all()) if (identity.ports.length > 0) found.add(identity)
    }
    if (scope === 'some') for (const peer of peers) for (const each of peer.matches) found.add(each)
    const prefixes = new Set(blocks.flatMap((block) => classes.covered(block)))
    for (const prefix of prefixes) {
      push(meant.prefixes, prefix, at)
      for (const identity of identities.ofPrefix(prefix)) found.add(identity)
    }
    for (const identity of found) push(meant.identities, identity, at)
  }
  return meant
}

function push<Key>(lists: Map<Key, number[]>, key: Key, at: number): void {
  const list = lists.get(key)
  if (list) list.push(at)
  else lists.set(key, [at])
}

function sizesOf(
  meant: Meant,
  clauses: readonly RecipeClause[],
  { totals }: World,
  family: (typeof FAMILIES)[number],
): Sizes {
  const ofClauses = new Map<number, number>()
  for (const [identity, places] of meant.identities) {
    if (identity[family] === 0) continue
    for (const at of places) {
      const isPlain = clauses[at]?.scope === 'some' && clauses[at]?.named.length === 0
      if (isPlain) ofClauses.set(at, (ofClauses.get(at) ?? 0) + 1)
    }
  }
  return { total: totals[family], ofClauses }
}

function writePods(
  recipe: Recipe,
  ground: Ground,
  identities: Iterable<Identity>,
  placesFor: (identity: Identity) => readonly number[] | undefined,
  write: Write,
): void {
  const known = new Map<string | number, readonly Template[]>()
  for (const identity of identities) {
    const places = placesFor(identity)
    const standing = places ? standingOf(recipe, identity, places) : familiesOf(identity)
    let templates = known.get(standing)
    if (!templates) {
      templates = podEntries(recipe, ground, identity, places ?? [])
      known.set(standing, templates)
    }
    write(identity.number, templates)
  }
}

/** Identities of equal standing get equal entries. */
function standingOf({ clauses }: Recipe, identity: Identity, places: readonly number[]): string {
  const isPersonal = places.some((at) => (clauses[at]?.named.length ?? 0) > 0)
  const ports = isPersonal ? JSON.stringify(identity.ports) : ''
  return `${places} ${familiesOf(identity)} ${ports}`
}

/** A bit for each. */
function familiesOf({ count4, count6 }: Identity): number {
  return (count4 > 0 ? 1 : 0) + (count6 > 0 ? 2 : 0)
}

function podEntries(
  recipe: Recipe,
  { numbered, groups, grounds, allPods }: Ground,
  identity: Identity,
  places: readonly number[],
): readonly Template[] {
  const families = FAMILIES.filter((family) => identity[family] > 0)
  const own = inOrder([...allPods, ...places]).flatMap((at): NumberedClause[] => {
    const clause = recipe.clauses[at]
    const plain = numbered[at]
    if (!clause || !plain) return []
    if (clause.named.length === 0) return [plain]
    return [numberedClause(clause, rangesFor(clause, identity))]
  })
  return entriesFor(
    decide(own, grounds),
    families.map((family) => groups[family]),
  )
}

function inOrder(places: Iterable<number>): number[] {
  return [...new Set(places)].sort((a, b) => a - b)
}

function remember(
  find: (places: readonly number[]) => readonly Template[],
): (places: readonly number[]) => readonly Template[] {
  const known = new Map<string, readonly Template[]>()
  return (places) => {
    const key = places.join()
    const found = known.get(key) ?? find(places)
    known.set(key, found)
    return found
  }
}

export function compareEntries(a: PolicyEntry, b: PolicyEntry): number {
  return (
    a.identity - b.identity || a.protocol - b.protocol || a.port - b.port || a.portBits - b.portBits
  )
}
