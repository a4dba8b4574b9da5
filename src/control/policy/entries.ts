// Decisions to entries. The datapath takes the first entry it finds: by the peer's identity, then
// by its group, then by "any"; each by protocol, then without; each by the longest port prefix. So
// an identity's entries are only those where its decisions differ from what it would find later.
import type { PolicyEntry } from '../../tables/policy.ts'
import {
  type Decision,
  type Decisions,
  PORT_COUNT,
  PORTED,
  type Segment,
  sameOutcome,
} from './decisions.ts'

/** An entry for an identity that is not said yet: those with equal decisions share them. */
export type Template = Omit<PolicyEntry, 'identity'>

interface Interval {
  readonly first: number
  /** Excluded. */
  readonly end: number
  readonly decision: Decision
}

/** What must be written for `wanted` where otherwise each of `fallbacks` might be found. */
export function entriesFor(wanted: Decisions, fallbacks: readonly Decisions[]): Template[] {
  const isOther = fallbacks.some(({ other }) => !sameOutcome(other, wanted.other))
  const entries: Template[] = []
  if (isOther) entries.push(entry(0, 0, 0, wanted.other))
  // An entry for all protocols stands before whatever the fallbacks have.
  const own: Segment[] = [{ from: 0, decision: wanted.other }]
  for (const protocol of PORTED) {
    const below = isOther ? [own] : fallbacks.map(({ ported }) => ported.get(protocol) ?? own)
    entries.push(...portEntries(protocol, wanted.ported.get(protocol) ?? own, below))
  }
  return entries
}

/** The same where nothing else would be found: decides everything. */
export function entriesForAll(wanted: Decisions): Template[] {
  const own: Segment[] = [{ from: 0, decision: wanted.other }]
  const ported = PORTED.flatMap((protocol) =>
    portEntries(protocol, wanted.ported.get(protocol) ?? own, [own]),
  )
  return [entry(0, 0, 0, wanted.other), ...ported]
}

function portEntries(
  protocol: number,
  wanted: readonly Segment[],
  fallbacks: readonly (readonly Segment[])[],
): Template[] {
  const differing = differences(wanted, fallbacks)
  if (differing.length === 0) return []
  const whole = intervals(wanted)
  // One entry for all ports and exceptions from it, where that is less.
  const most = widest(whole)
  const exceptions = whole.filter(({ decision }) => !isSame(decision, most))
  if (1 + countPrefixes(exceptions) < countPrefixes(differing)) {
    return [entry(protocol, 0, 0, most), ...exceptions.flatMap((each) => prefixes(protocol, each))]
  }
  return differing.flatMap((each) => prefixes(protocol, each))
}

function intervals(segments: readonly Segment[]): Interval[] {
  return segments.map(({ from, decision }, at) => ({
    first: from,
    end: segments[at + 1]?.from ?? PORT_COUNT,
    decision,
  }))
}

/** Where `wanted` is not what every fallback says. */
function differences(
  wanted: readonly Segment[],
  fallbacks: readonly (readonly Segment[])[],
): Interval[] {
  const found: Interval[] = []
  for (const { first, end, decision } of intervals(wanted)) {
    const begins = new Set([first])
    for (const fallback of fallbacks) {
      for (const { from } of fallback) if (from > first && from < end) begins.add(from)
    }
    const sorted = [...begins].sort((a, b) => a - b)
    for (const [at, begin] of sorted.entries()) {
      if (fallbacks.every((each) => sameOutcome(decisionAt(each, begin), decision))) continue
      const until = sorted[at + 1] ?? end
      const last = found.at(-1)
      if (last?.end === begin && last.decision === decision) {
        found[found.length - 1] = { ...last, end: until }
      } else found.push({ first: begin, end: until, decision })
    }
  }
  return found
}

function decisionAt(segments: readonly Segment[], port: number): Decision {
  let low = 0
  let high = segments.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((segments[middle]?.from ?? PORT_COUNT) <= port) low = middle
    else high = middle
  }
  const found = segments[low]
  if (!found) throw new Error('Cannot decide a port: there are no segments')
  return found.decision
}

function widest(whole: readonly Interval[]): Decision {
  const widths = new Map<string, { width: number; decision: Decision }>()
  let best: { width: number; decision: Decision } | undefined
  for (const { first, end, decision } of whole) {
    const key = `${decision.verdict} ${decision.ruleId}`
    const known = widths.get(key) ?? { width: 0, decision }
    widths.set(key, known)
    known.width += end - first
    if (!best || known.width > best.width) best = known
  }
  if (!best) throw new Error('Cannot compare decisions: there are none')
  return best.decision
}

function isSame(a: Decision, b: Decision): boolean {
  return a.verdict === b.verdict && a.ruleId === b.ruleId
}

function countPrefixes(all: readonly Interval[]): number {
  let count = 0
  for (const { first, end } of all) {
    for (let at = first; at < end; at += blockSize(at, end)) count++
  }
  return count
}

function prefixes(protocol: number, { first, end, decision }: Interval): Template[] {
  const entries: Template[] = []
  for (let at = first; at < end; ) {
    const size = blockSize(at, end)
    entries.push(entry(protocol, at, 16 - Math.log2(size), decision))
    at += size
  }
  return entries
}

/** The largest power of two that begins at `at`, aligned, and ends by `end`. */
function blockSize(at: number, end: number): number {
  let size = at === 0 ? PORT_COUNT : at & -at
  while (at + size > end) size >>= 1
  return size
}

function entry(
  protocol: number,
  port: number,
  portBits: number,
  { verdict, ruleId }: Decision,
): Template {
  return { protocol, port, portBits, verdict, ruleId }
}
