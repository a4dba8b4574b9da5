// Sets up every derivation: the one list of what is computed from what.
import { type Derivation, derive } from '../state/derive.ts'
import type { Tables } from '../tables/tables.ts'
import { destinationsDerivation } from './destinations.ts'
import { frontendsDerivation } from './frontends.ts'
import { healthChecksDerivation } from './health-checks.ts'
import { nodeRoutesDerivation } from './node-routes.ts'
import { POLICY_BUDGET, PolicyCompiler, type PolicySettings } from './policy/compiler.ts'
import type { ControlSettings } from './settings.ts'

/**
 * Two rows of intent that ask for the same key of a desired table: `owner` gets it, `loser` does
 * not.
 */
export interface Conflict {
  readonly table: string
  readonly key: string
  readonly owner: string
  readonly loser: string
}

/**
 * Starts what makes policies into sets of entries; returns the way to stop it. Once for the life of
 * the agent: its numbers go on, whatever happens to the uplinks.
 */
export function wirePolicy(
  tables: Tables,
  settings: Pick<PolicySettings, 'implicitNamespaces'>,
): () => void {
  const compiler = new PolicyCompiler(tables, { ...settings, budget: POLICY_BUDGET })
  compiler.start()
  return () => compiler.stop()
}

type Reports = Required<Pick<Derivation<object>, 'onConflict' | 'onResolved'>>

/** Starts all other derivations; returns the way to stop them. */
export function wire(
  tables: Tables,
  settings: ControlSettings,
  onConflict: (conflict: Conflict) => void = () => {},
  onResolved: (resolved: Omit<Conflict, 'owner'>) => void = () => {},
): () => void {
  const reportsFor = (table: string): Reports => ({
    onConflict: (conflict) => onConflict({ table, ...conflict }),
    onResolved: (resolved) => onResolved({ table, ...resolved }),
  })
  const stops = [
    derive({ ...frontendsDerivation(tables, settings), ...reportsFor('frontends') }),
    derive({ ...healthChecksDerivation(tables, settings), ...reportsFor('healthChecks') }),
    derive({ ...destinationsDerivation(tables, settings), ...reportsFor('destinations') }),
    derive({ ...nodeRoutesDerivation(tables, settings), ...reportsFor('nodeRoutes') }),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
