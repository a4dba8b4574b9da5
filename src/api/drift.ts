// One word for how the kernel stands to a row: ok, missing (wanted, not there), stale (there,
// different), extra (there, not wanted).

export type Drift = 'ok' | 'missing' | 'stale' | 'extra'

/** A row's status in one word, with the error's text beside it. */
export interface RowStatus {
  readonly status: 'pending' | 'done' | 'error'
  readonly error?: string
}

/** What every view row carries: the drift, and in words what differs. */
export interface DriftColumns {
  readonly drift: Drift
  readonly differences: readonly string[]
}

/** Drift of something wanted, from whether it was found and what differs about it. */
export function driftOf(found: boolean, differences: readonly string[]): DriftColumns {
  if (!found) return { drift: 'missing', differences }
  return { drift: differences.length === 0 ? 'ok' : 'stale', differences }
}

/** Names the fields in which `actual` is not as wanted: "mtu is 1500, not 1450". */
export function fieldDifferences<Row extends object>(
  wanted: Partial<Row>,
  actual: Row,
): readonly string[] {
  return Object.entries(wanted).flatMap(([name, value]) => {
    const is = actual[name as keyof Row]
    return is === value ? [] : [`${name} is ${is ?? 'absent'}, not ${value}`]
  })
}
