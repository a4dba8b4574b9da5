// Which file gives which object. An object that two files give belongs to the first by name, so
// that the outcome does not depend on the order of events; the other takes over when the first lets
// go.
import type { Table } from '../../state/table.ts'
import type { Tables } from '../../tables/tables.ts'
import type { Kind } from '../kinds.ts'
import type { ManifestObject } from './manifest.ts'

interface Claim {
  readonly kind: Kind
  /** Files that give the object, sorted. */
  readonly paths: readonly string[]
}

export class Claims {
  readonly #objects = new Map<string, ReadonlyMap<string, ManifestObject>>()
  readonly #claims = new Map<string, Claim>()
  readonly #contested = new Set<string>()
  readonly #touched = new Map<string, Kind>()

  /** Objects that a file gives, by id. */
  of(path: string): ReadonlyMap<string, ManifestObject> {
    return this.#objects.get(path) ?? new Map()
  }

  /** Makes a file give exactly these objects; tables are not written before apply(). */
  set(path: string, objects: readonly ManifestObject[]): void {
    const before = this.of(path)
    const now = new Map(objects.map((object) => [object.id, object]))
    for (const { id, kind } of before.values()) {
      this.#touched.set(id, kind)
      if (!now.has(id)) this.#claim(id, kind, (paths) => paths.filter((each) => each !== path))
    }
    for (const { id, kind } of objects) {
      this.#touched.set(id, kind)
      if (!before.has(id)) this.#claim(id, kind, (paths) => [...paths, path].sort())
    }
    if (now.size > 0) this.#objects.set(path, now)
    else this.#objects.delete(path)
  }

  /** Writes what changed since the last call, all in one turn: nobody sees half of it. */
  apply(tables: Tables): void {
    for (const [id, kind] of this.#touched) {
      const owner = this.#claims.get(id)?.paths[0]
      const row = owner === undefined ? undefined : this.of(owner).get(id)?.row
      const table = kind.tableOf(tables) as unknown as Table<object>
      if (row) table.upsert(row)
      else table.delete(id.slice(kind.kind.length + 1))
    }
    this.#touched.clear()
  }

  /** Objects that several files give: the one that counts, and each that does not. */
  *contested(): IterableIterator<{ owner: string; loser: string; object: ManifestObject }> {
    for (const id of this.#contested) {
      const [owner = '', ...losers] = this.#claims.get(id)?.paths ?? []
      for (const loser of losers) {
        const object = this.of(loser).get(id)
        if (object) yield { owner, loser, object }
      }
    }
  }

  #claim(id: string, kind: Kind, change: (paths: readonly string[]) => readonly string[]): void {
    const paths = change(this.#claims.get(id)?.paths ?? [])
    if (paths.length > 0) this.#claims.set(id, { kind, paths })
    else this.#claims.delete(id)
    if (paths.length > 1) this.#contested.add(id)
    else this.#contested.delete(id)
  }
}
