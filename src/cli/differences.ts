// Below a table with drift: what differs and what failed, in words.
import { print } from './output.ts'

interface Differing {
  readonly differences: readonly string[]
  readonly error?: string
}

/** Prints nothing when nothing differs. */
export function printDifferences<View extends Differing>(
  views: readonly View[],
  nameOf: (view: View) => string,
): void {
  const lines = views.flatMap((view) => {
    const texts = view.error === undefined ? view.differences : [view.error, ...view.differences]
    return texts.map((text) => `${nameOf(view)}: ${text}`)
  })
  if (lines.length > 0) print(`\n${lines.join('\n')}`)
}
