// What the lab passes over, each kind and field named once, however often it occurs.
import type { Fields } from './read.ts'

export class Notes {
  readonly #lines = new Set<string>()

  add(line: string): void {
    this.#lines.add(line)
  }

  /** Notes every field that is present and not among the known ones. */
  unknownFields(where: string, fields: Fields, known: ReadonlySet<string>): void {
    for (const [name, value] of Object.entries(fields)) {
      if (!known.has(name) && !isEmpty(value)) this.add(`${where}.${name}`)
    }
  }

  list(): string[] {
    return [...this.#lines].sort()
  }
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
