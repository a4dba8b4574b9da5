// Numbers that maps are keyed by: of service ports and of backend sets.

/** Hands out numbers from 1, ever upwards, never one in use, beginning again after 2^32 - 1. */
export class Numbers {
  readonly #used = new Set<number>()
  #last = 0

  next(): number {
    do this.#last = this.#last >= 0xffff_ffff ? 1 : this.#last + 1
    while (this.#used.has(this.#last))
    this.#used.add(this.#last)
    return this.#last
  }

  take(number: number): void {
    this.#used.add(number)
    this.#last = Math.max(this.#last, number)
  }

  free(number: number): void {
    this.#used.delete(number)
  }
}

/** Numbers of things with names: one number as long as anybody holds the name. */
export class NamedNumbers {
  readonly #numbers = new Numbers()
  readonly #named = new Map<string, { number: number; holders: number }>()
  /** Of a former life, held by no name yet. */
  readonly #restored = new Set<number>()

  restore(number: number): void {
    this.#numbers.take(number)
    this.#restored.add(number)
  }

  /** The name's number; a new name gets `preferred` if that is restored and not claimed yet. */
  hold(name: string, preferred?: number): number {
    const held = this.#named.get(name)
    if (held) {
      held.holders++
      return held.number
    }
    const isFree = preferred !== undefined && this.#restored.delete(preferred)
    const number = isFree ? preferred : this.#numbers.next()
    this.#named.set(name, { number, holders: 1 })
    return number
  }

  release(name: string): void {
    const held = this.#named.get(name)
    if (!held || --held.holders > 0) return
    this.#named.delete(name)
    this.#numbers.free(held.number)
  }

  /** Gives up restored numbers that nobody has claimed. */
  forgetRestored(): void {
    for (const number of this.#restored) this.#numbers.free(number)
    this.#restored.clear()
  }
}
