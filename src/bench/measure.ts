// Interleaved measurement: every round measures every path once, so that a slow minute of the
// machine hits all of them; ratios are taken inside a round and their median is quoted.

/** One figure that can be taken again and again, e.g. the latency of one path. */
export interface Subject {
  readonly name: string
  readonly unit: string
  /** Name of the subject that this one is compared with, or undefined for a mere reference. */
  readonly reference?: string
  /** Takes one sample, in `unit`. */
  readonly sample: () => Promise<number>
}

/**
 * A row of `weir bench --json`. `ratio` is value / referenceValue, as the median over the rounds.
 */
export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly reference: string
  readonly referenceValue: number
  readonly ratio: number
}

/** What did not come about in the time allowed. It is a result, and no reason to end a run. */
export class Unreached extends Error {}

/** Samples every subject once per round, in an order that rotates, and compares. */
export async function measureInterleaved(
  subjects: readonly Subject[],
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<BenchRow[]> {
  const samples = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    onRound(round)
    const start = round % Math.max(1, subjects.length)
    for (const subject of [...subjects.slice(start), ...subjects.slice(0, start)]) {
      samples.get(subject.name)?.push(await subject.sample())
    }
  }
  return subjects.flatMap((subject) => compare(subject, samples))
}

function compare(subject: Subject, samples: ReadonlyMap<string, number[]>): BenchRow[] {
  if (subject.reference === undefined) return []
  const values = samples.get(subject.name) ?? []
  const references = samples.get(subject.reference) ?? []
  if (values.length === 0 || references.length !== values.length) {
    throw new Error(`Cannot compare ${subject.name}: ${subject.reference} was not measured`)
  }
  const ratios = values.map((value, round) => value / (references[round] ?? Number.NaN))
  return [
    {
      name: subject.name,
      value: quantile(values, 0.5),
      unit: subject.unit,
      reference: subject.reference,
      referenceValue: quantile(references, 0.5),
      ratio: quantile(ratios, 0.5),
    },
  ]
}

/** The q-quantile of samples, 0 <= q <= 1, nearest rank. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}
