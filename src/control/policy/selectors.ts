// Label selectors: what they select, and many of them asked at once.
import type { Requirement, Selector } from '../../tables/policy.ts'

export type Labels = Readonly<Record<string, string>>

/**
 * As the API has it: NotIn and DoesNotExist also hold where the label is missing. With labels that
 * may not be all (`isWhole` false) a missing one tells nothing, and nothing is concluded from it.
 */
export function selects(selector: Selector, labels: Labels, isWhole = true): boolean {
  for (const requirement of selector) if (!holds(requirement, labels, isWhole)) return false
  return true
}

function holds({ key, operator, values }: Requirement, labels: Labels, isWhole: boolean): boolean {
  if (!Object.hasOwn(labels, key)) return isWhole && operator !== 'In' && operator !== 'Exists'
  switch (operator) {
    case 'In':
      return values?.includes(labels[key] ?? '') ?? false
    case 'NotIn':
      return !values?.includes(labels[key] ?? '')
    case 'Exists':
      return true
    case 'DoesNotExist':
      return false
  }
}

/** Equal selectors of rows have equal keys, for rows have them sorted. */
export function selectorKey(selector: Selector): string {
  return JSON.stringify(selector)
}

/**
 * Items by their selectors, so that labels meet only those that have a chance: each item waits
 * under one thing that it demands to be there, a label with its value or a label.
 */
export class SelectorIndex<T> {
  readonly #waiting = new Map<string, Map<T, Selector>>()

  add(selector: Selector, item: T): void {
    for (const anchor of anchorsOf(selector)) {
      const items = this.#waiting.get(anchor) ?? new Map<T, Selector>()
      this.#waiting.set(anchor, items.set(item, selector))
    }
  }

  delete(selector: Selector, item: T): void {
    for (const anchor of anchorsOf(selector)) {
      const items = this.#waiting.get(anchor)
      items?.delete(item)
      if (items?.size === 0) this.#waiting.delete(anchor)
    }
  }

  /** Items whose selectors select these labels. */
  match(labels: Labels, isWhole = true): T[] {
    const found: T[] = []
    const look = (anchor: string): void => {
      for (const [item, selector] of this.#waiting.get(anchor) ?? []) {
        if (selects(selector, labels, isWhole)) found.push(item)
      }
    }
    look(ALWAYS)
    for (const key in labels) {
      look(`${key}=${labels[key]}`)
      look(key)
    }
    return found
  }
}

const ALWAYS = ''

/** Of an In with several values one anchor each; labels have one of them, so none meets twice. */
function anchorsOf(selector: Selector): readonly string[] {
  const demanded =
    selector.find(({ operator }) => operator === 'In') ??
    selector.find(({ operator }) => operator === 'Exists')
  if (!demanded) return [ALWAYS]
  const { key, operator, values = [] } = demanded
  return operator === 'In' ? values.map((value) => `${key}=${value}`) : [key]
}
