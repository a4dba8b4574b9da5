// How many addresses and prefixes have an identity: entries of rules about identities that nobody
// has may come and go at any time.
import { IDENTITY } from '../tables/policy.ts'
import type { Changes } from './policy-pairs.ts'
import type { Living } from './policy-sets.ts'

/** A table of identities that is in force, and what is to become of it. */
export interface Movement {
  readonly held: ReadonlyMap<string, number>
  readonly changes: Changes<number>
}

export class Population {
  readonly #counts = new Map<number, number>()

  /** Counts anew what is in force. */
  reset(...tables: readonly ReadonlyMap<string, number>[]): void {
    this.#counts.clear()
    for (const table of tables) for (const identity of table.values()) this.#add(identity, 1)
  }

  /** What is numbered below the pods is never nobody. */
  living(movements: readonly Movement[]): Living {
    const delta = new Map<number, number>()
    const count = (identity: number | undefined, by: number): void => {
      if (identity !== undefined) delta.set(identity, (delta.get(identity) ?? 0) + by)
    }
    for (const { held, changes } of movements) {
      for (const [key, identity] of changes) {
        count(held.get(key), -1)
        count(identity, 1)
      }
    }
    const now = (identity: number): number => this.#counts.get(identity) ?? 0
    return {
      before: (identity) => identity < IDENTITY.firstPod || now(identity) > 0,
      after: (identity) =>
        identity < IDENTITY.firstPod || now(identity) + (delta.get(identity) ?? 0) > 0,
    }
  }

  /** To be called with what has moved, before and after it came into force. */
  move(identity: number | undefined, by: 1 | -1): void {
    if (identity !== undefined) this.#add(identity, by)
  }

  #add(identity: number, by: number): void {
    const count = (this.#counts.get(identity) ?? 0) + by
    if (count > 0) this.#counts.set(identity, count)
    else this.#counts.delete(identity)
  }
}

/** True when addresses only became known or forgotten, and none changed hands. */
export function isComingAndGoing({ held, changes }: Movement): boolean {
  for (const [key, identity] of changes) {
    if (identity !== undefined && held.has(key)) return false
  }
  return true
}
