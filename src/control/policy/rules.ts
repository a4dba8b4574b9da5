// Numbers for the words of rules, so that an entry can name its rule. A number is not given again
// while anything may still remember it: they only grow.

export class Rules {
  readonly #byText = new Map<string, { readonly id: number; uses: number }>()
  #last = 0

  use(text: string): number {
    const known = this.#byText.get(text)
    if (known) {
      known.uses++
      return known.id
    }
    this.#byText.set(text, { id: ++this.#last, uses: 1 })
    return this.#last
  }

  unuse(text: string): void {
    const known = this.#byText.get(text)
    if (known && --known.uses === 0) this.#byText.delete(text)
  }

  *all(): IterableIterator<{ readonly id: number; readonly text: string }> {
    for (const [text, { id }] of this.#byText) yield { id, text }
  }
}
