// What a list of clauses says of one peer: a decision for every port of every protocol. Clauses are
// painted over the ports in their order; what is painted stays.
import type { PolicyVerdict } from '../../tables/policy.ts'
import type { Layer } from './clauses.ts'

export interface Decision {
  readonly verdict: PolicyVerdict
  readonly ruleId: number
  /** Which layer decided; 'default': none. */
  readonly layer: Layer | 'default'
}

/** From port `from` to the next segment's, or the last port. The first begins at 0. */
export interface Segment {
  readonly from: number
  readonly decision: Decision
}

export const TCP = 6
export const UDP = 17
export const SCTP = 132
/** The protocols with ports; all others are alike. */
export const PORTED = [TCP, UDP, SCTP] as const
export const PORT_COUNT = 65536

/** What is decided for all protocols and ports. */
export interface Decisions {
  readonly other: Decision
  readonly ported: ReadonlyMap<number, readonly Segment[]>
}

/** Ports of one protocol that a clause concerns, `last` included. */
export interface PortRange {
  readonly protocol: number
  readonly first: number
  readonly last: number
  readonly ruleId: number
}

/** A clause with its ports as numbers. */
export interface NumberedClause {
  readonly layer: Layer
  readonly action: 'Accept' | 'Deny' | 'Pass'
  /** Absent: all protocols and ports. */
  readonly ranges: readonly PortRange[] | undefined
  readonly ruleId: number
}

export interface Grounds {
  /** What is denied because NetworkPolicies isolate the pod; absent: none does. */
  readonly isolated: Decision | undefined
  readonly open: Decision
}

/** `clauses` are in the order of asking. */
export function decide(clauses: readonly NumberedClause[], grounds: Grounds): Decisions {
  const all = clauses.filter(({ ranges }) => ranges === undefined)
  const [other] = paint(all, { cells: [0], protocol: 0, ...grounds })
  const ported = new Map<number, readonly Segment[]>()
  for (const protocol of PORTED) {
    const cells = cellsOf(clauses, protocol)
    ported.set(protocol, merge(paint(clauses, { cells, protocol, ...grounds }), cells))
  }
  return { other: other ?? grounds.open, ported }
}

/** Where segments may begin. */
function cellsOf(clauses: readonly NumberedClause[], protocol: number): readonly number[] {
  const begins = new Set([0])
  for (const { ranges } of clauses) {
    for (const range of ranges ?? []) {
      if (range.protocol !== protocol) continue
      begins.add(range.first)
      if (range.last + 1 < PORT_COUNT) begins.add(range.last + 1)
    }
  }
  return [...begins].sort((a, b) => a - b)
}

interface Canvas extends Grounds {
  readonly cells: readonly number[]
  readonly protocol: number
}

/** The decision of each cell. */
function paint(clauses: readonly NumberedClause[], canvas: Canvas): readonly Decision[] {
  const { cells, isolated, open } = canvas
  const decided = new Array<Decision | undefined>(cells.length).fill(undefined)
  paintLayer(clauses, 'Admin', canvas, decided)
  if (isolated) {
    paintLayer(clauses, 'NetworkPolicy', canvas, decided)
    return decided.map((decision) => decision ?? isolated)
  }
  paintLayer(clauses, 'Baseline', canvas, decided)
  return decided.map((decision) => decision ?? open)
}

/** A cell that a clause passes on is out of this layer's reach and open to the next. */
function paintLayer(
  clauses: readonly NumberedClause[],
  layer: Layer,
  { cells, protocol }: Canvas,
  decided: (Decision | undefined)[],
): void {
  const isDone = decided.map((decision) => decision !== undefined)
  let left = isDone.filter((done) => !done).length
  const cover = (clause: NumberedClause, from: number, to: number, ruleId: number): void => {
    const verdict = clause.action === 'Deny' ? 'deny' : 'allow'
    for (let at = from; at < to; at++) {
      if (isDone[at]) continue
      isDone[at] = true
      left--
      if (clause.action !== 'Pass') decided[at] = { verdict, ruleId, layer }
    }
  }
  for (const clause of clauses) {
    if (left === 0) return
    if (clause.layer !== layer) continue
    if (clause.ranges === undefined) cover(clause, 0, cells.length, clause.ruleId)
    for (const range of clause.ranges ?? []) {
      if (range.protocol !== protocol) continue
      cover(clause, cellAt(cells, range.first), cellAt(cells, range.last + 1), range.ruleId)
    }
  }
}

/** The first cell that begins at the port or after it. */
function cellAt(cells: readonly number[], port: number): number {
  let low = 0
  let high = cells.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((cells[middle] ?? PORT_COUNT) < port) low = middle + 1
    else high = middle
  }
  return low
}

function merge(decisions: readonly Decision[], cells: readonly number[]): readonly Segment[] {
  const segments: Segment[] = []
  for (const [at, decision] of decisions.entries()) {
    const last = segments.at(-1)?.decision
    if (last && last.verdict === decision.verdict && last.ruleId === decision.ruleId) continue
    segments.push({ from: cells[at] ?? 0, decision })
  }
  return segments
}

/**
 * Whether it makes no difference by which of the two a packet is judged: the same verdict, and no
 * reason that a person would miss. Of two NetworkPolicies that allow either may be named.
 */
export function sameOutcome(a: Decision, b: Decision): boolean {
  if (a.verdict !== b.verdict) return false
  return a.verdict === 'allow' ? a.layer === b.layer : a.ruleId === b.ruleId
}
