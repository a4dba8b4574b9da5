// Numbers for the prefixes that rules name. They only grow, like those of rules.
import type { Prefix } from '../../net/prefix.ts'
import { type CidrIdentity, IDENTITY } from '../../tables/policy.ts'

export class PrefixNumbers {
  readonly #numbers = new Map<Prefix, number>()
  readonly #used = new Set<number>()
  #last: number = IDENTITY.firstCidr - 1

  /** Numbers for those that are new, which it gives; none for those that are gone. */
  keepOnly(prefixes: Iterable<Prefix>): readonly number[] {
    const before = this.#last
    const gone = new Set(this.#numbers.keys())
    for (const prefix of prefixes) {
      gone.delete(prefix)
      this.numberOf(prefix)
    }
    for (const prefix of gone) {
      this.#used.delete(this.numberOf(prefix))
      this.#numbers.delete(prefix)
    }
    return Array.from({ length: this.#last - before }, (_, at) => before + 1 + at)
  }

  numberOf(prefix: Prefix): number {
    let number = this.#numbers.get(prefix)
    if (number === undefined) {
      number = ++this.#last
      this.#numbers.set(prefix, number)
      this.#used.add(number)
    }
    return number
  }

  isUsed(number: number): boolean {
    return this.#used.has(number)
  }

  *all(): IterableIterator<CidrIdentity> {
    for (const [prefix, identity] of this.#numbers) yield { prefix, identity }
  }
}
