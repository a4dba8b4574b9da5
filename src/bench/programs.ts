// What one packet costs in a program: BPF_PROG_TEST_RUN, beside a program that does nothing.
// Each sample is one run on a fresh frame: a second run would meet the packet that the first one
// has rewritten, so `repeat` cannot be used, and the median over many calls is quoted.
import type { Program } from '../libbpf/program.ts'

/** A packet for a program, and what makes the maps as they must be before each run. */
export interface ProgramCase {
  /** As in the bench's rows: "from_pod.established-ipv4". */
  readonly name: string
  readonly program: Program
  readonly frame: Uint8Array
  readonly context?: Uint8Array
  readonly prepare?: () => void
}

export interface ProgramTime {
  readonly name: string
  /** Median of one run. */
  readonly ns: number
  /** The same of a program that returns at once, on the same frame, measured in turn. */
  readonly emptyNs: number
}

/** Measures every case in turn with the empty program, `samples` times. */
export function timePrograms(
  cases: readonly ProgramCase[],
  empty: Program,
  samples = 2000,
): ProgramTime[] {
  return cases.map(({ name, program, frame, context, prepare }) => {
    const input = { data: frame, ...(context ? { context } : {}) }
    const times: number[] = []
    const emptyTimes: number[] = []
    for (let sample = 0; sample < samples; sample++) {
      prepare?.()
      emptyTimes.push(empty.testRun(input).durationNs)
      times.push(program.testRun(input).durationNs)
    }
    return { name, ns: median(times), emptyNs: median(emptyTimes) }
  })
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
