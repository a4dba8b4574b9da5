// A recipe to the entries of its set. First what holds for everybody, then for all pods, then for
// each identity that some clause means: only where it differs from what it would find without.

import type { Prefix } from '../../net/prefix.ts'
import { IDENTITY, type PolicyEntry } from '../../tables/policy.ts'
import { type Decisions, decide, type Grounds, type NumberedClause } from './decisions.ts'
import { entriesFor, entriesForAll, type Template } from './entries.ts'
import type { Identities, Identity } from './identities.ts'
import type { PrefixClasses } from './prefixes.ts'
import { type Reach, type Recipe, type RecipeClause, rangesFor } from './recipes.ts'

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

type FamilyCount = 'count4' | 'count6'

/** Whom the clauses mean, by their places in the recipe. */
interface Meant {
  readonly identities: Map<Identity, number[]>
  readonly prefixes: Map<Prefix, number[]>
}

export interface Compiled extends Reach {
  readonly entries: readonly PolicyEntry[]
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
  const sizes = {
    count4: clauseSizes(meant, clauses, world, 'count4'),
    count6: clauseSizes(meant, clauses, world, 'count6'),
  }
  const lifted = {
    count4: liftedClauses(sizes.count4, world.totals.count4),
    count6: liftedClauses(sizes.count6, world.totals.count6),
  }
  const decideBy = (places: Iterable<number>) =>
    decide(
      inOrder(places).flatMap((at) => numbered[at] ?? []),
      grounds,
    )
  const anybody = decideBy(everybody)
  const groups = {
    count4: decideBy([...allPods, ...lifted.count4]),
    count6: decideBy([...allPods, ...lifted.count6]),
  }
  const entries: PolicyEntry[] = []
  const write = (identity: number, templates: readonly Template[]): void => {
    for (const template of templates) entries.push({ identity, ...template })
  }
  write(IDENTITY.any, entriesForAll(anybody))
  write(IDENTITY.unknownPod, entriesFor(decideBy(allPods), [anybody]))
  write(IDENTITY.pods4, entriesFor(groups.count4, [anybody]))
  write(IDENTITY.pods6, entriesFor(groups.count6, [anybody]))
  writePods({ recipe, world, meant, lifted, groups, grounds, numbered, allPods }, write)
  const byPlaces = remember((places: readonly number[]) =>
    entriesFor(decideBy([...everybody, ...places]), [anybody]),
  )
  for (const [prefix, places] of meant.prefixes) write(world.cidrNumber(prefix), byPlaces(places))
  return {
    entries: entries.sort(compareEntries),
    covers: new Set(meant.prefixes.keys()),
    largest: {
      count4: Math.max(0, ...sizes.count4.values()),
      count6: Math.max(0, ...sizes.count6.values()),
    },
    watchesAll:
      lifted.count4.length + lifted.count6.length > 0 ||
      clauses.some(({ named }) => named.length > 0),
  }
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

/** How many identities each clause means, of those clauses that mean many. */
function clauseSizes(
  meant: Meant,
  clauses: readonly RecipeClause[],
  { totals, many }: World,
  family: FamilyCount,
): ReadonlyMap<number, number> {
  const sizes = new Map<number, number>()
  if (totals[family] < many) return sizes
  for (const [identity, places] of meant.identities) {
    if (identity[family] === 0) continue
    for (const at of places) sizes.set(at, (sizes.get(at) ?? 0) + 1)
  }
  for (const [at, size] of sizes) {
    const isPlain = clauses[at]?.scope === 'some' && clauses[at]?.named.length === 0
    if (!isPlain || size < many) sizes.delete(at)
  }
  return sizes
}

function liftedClauses(sizes: ReadonlyMap<number, number>, total: number): number[] {
  const lifted = [...sizes].filter(([, size]) => size * 2 > total)
  return lifted.map(([at]) => at).sort((a, b) => a - b)
}

interface PodsContext {
  readonly recipe: Recipe
  readonly world: World
  readonly meant: Meant
  readonly lifted: Readonly<Record<FamilyCount, readonly number[]>>
  readonly groups: Readonly<Record<FamilyCount, Decisions>>
  readonly grounds: Grounds
  readonly numbered: readonly NumberedClause[]
  readonly allPods: readonly number[]
}

function writePods(
  context: PodsContext,
  write: (identity: number, templates: readonly Template[]) => void,
): void {
  const { world, meant, lifted, recipe } = context
  const hasLifted = lifted.count4.length + lifted.count6.length > 0
  const concerned = hasLifted ? world.identities.all() : meant.identities.keys()
  const known = new Map<string | number, readonly Template[]>()
  for (const identity of concerned) {
    const places = meant.identities.get(identity)
    const standing = places ? standingOf(recipe, identity, places) : familiesOf(identity)
    let templates = known.get(standing)
    if (!templates) {
      templates = podEntries(context, identity, places ?? [])
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

const FAMILIES = ['count4', 'count6'] as const

function podEntries(
  { recipe, numbered, groups, grounds, allPods }: PodsContext,
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
