// Fills the metrics that are states: rows, map fill, what the kernel has counted, the source.
// Kernel totals become counters that start where the pinned maps stand, not at the agent's start.
import type { Instruments } from './instruments.ts'
import type {
  CountedTable,
  FlowTotals,
  KindState,
  MapFill,
  MetricReadings,
  PacketTotal,
  SourceState,
} from './readings.ts'

/**
 * Takes every reading; one that throws empties its metrics and adds to weir_scrape_errors_total.
 */
export async function takeReadings(readings: MetricReadings, to: Instruments): Promise<void> {
  const take = async <T>(
    reading: string,
    read: () => T | Promise<T>,
    show: (to: Instruments, value: T | undefined) => void,
  ): Promise<void> => {
    try {
      // Values are set in one synchronous go, so that overlapping scrapes do not mix.
      show(to, await read())
    } catch {
      show(to, undefined)
      to.scrapeErrors.inc({ reading })
    }
  }
  await Promise.all([
    take('tables', readings.tables, showTables),
    take('maps', readings.maps, showMaps),
    take('packets', readings.packets, showPackets),
    take<FlowTotals | undefined>('flows', readings.flows, showFlows),
    take('events', readings.eventsLost, showEvents),
    take('audited', readings.audited, showAudited),
    take('source', readings.source, showSource),
    take('services', readings.unserved, showUnserved),
    take('policy', readings.policyClosed, showPolicyClosed),
  ])
}

/** Names of a few: a full map fails thousands, and each is a series. */
const MAX_NAMED = 20

function showUnserved(to: Instruments, services: readonly string[] = []): void {
  to.serviceUnserved.reset()
  to.servicesUnserved.set(services.length)
  for (const service of services.slice(0, MAX_NAMED)) to.serviceUnserved.set({ service }, 1)
}

function showPolicyClosed(
  { policyClosed }: Instruments,
  counts: Readonly<Record<string, number>> = {},
): void {
  policyClosed.reset()
  for (const [condition, count] of Object.entries(counts)) policyClosed.set({ condition }, count)
}

function showTables({ rows }: Instruments, tables: Iterable<CountedTable> = []): void {
  rows.reset()
  for (const table of tables) {
    const counts: Record<string, number> = table.reconciled
      ? { pending: 0, done: 0, error: 0 }
      : { held: 0 }
    for (const { status } of table.entries()) {
      const state = table.reconciled ? status.state : 'held'
      counts[state] = (counts[state] ?? 0) + 1
    }
    for (const [state, count] of Object.entries(counts)) {
      rows.set({ table: table.name, state }, count)
    }
  }
}

function showMaps(to: Instruments, maps: readonly MapFill[] = []): void {
  for (const gauge of [to.mapEntries, to.mapRoom, to.mapFill]) gauge.reset()
  for (const { name: map, entries, maxEntries, evicts } of maps) {
    to.mapRoom.set({ map }, maxEntries)
    if (entries === undefined) continue
    to.mapEntries.set({ map }, entries)
    if (!evicts) to.mapFill.set({ map }, entries / maxEntries)
  }
}

function showPackets(to: Instruments, totals: readonly PacketTotal[] = []): void {
  for (const counter of [to.drops, to.dropBytes, to.forwarded, to.forwardedBytes]) counter.reset()
  for (const { reason, direction, packets, bytes } of totals) {
    if (reason === 'none') {
      to.forwarded.inc({ direction }, Number(packets))
      to.forwardedBytes.inc({ direction }, Number(bytes))
    } else {
      to.drops.inc({ reason, direction }, Number(packets))
      to.dropBytes.inc({ reason, direction }, Number(bytes))
    }
  }
}

function showFlows(to: Instruments, totals: FlowTotals | undefined): void {
  to.flows.reset()
  to.flowsExpired.set(totals?.expired ?? 0)
  if (!totals) return
  to.flows.set({ state: 'established' }, totals.established)
  to.flows.set({ state: 'closing' }, totals.closing)
  to.flows.set({ state: 'embryo' }, totals.embryos)
}

function showEvents({ eventsLost }: Instruments, total: number | bigint = 0): void {
  eventsLost.reset()
  eventsLost.inc(Number(total))
}

function showAudited(
  { audited }: Instruments,
  totals: Readonly<Record<string, number | bigint>> = {},
): void {
  audited.reset()
  for (const [direction, total] of Object.entries(totals)) audited.inc({ direction }, Number(total))
}

function showSource(to: Instruments, state: SourceState | undefined): void {
  for (const gauge of [to.sourceInitialized, to.sourceErrors, to.sourceAge]) gauge.reset()
  for (const each of [to.watchSynced, to.watchContactAge, to.watchEventAge]) each.reset()
  for (const each of [to.watchReconnects, to.watchRelists, to.watchGarbled]) each.reset()
  to.watchBadObjects.reset()
  if (!state) return
  const source = { source: state.kind }
  to.sourceInitialized.set(source, state.initialized ? 1 : 0)
  to.sourceErrors.set(source, state.errors.length)
  to.sourceAge.set(source, state.ageMs / 1000)
  for (const watched of state.kinds ?? []) showWatch(to, watched)
}

function showWatch(to: Instruments, state: KindState): void {
  const { kind, contactAgeMs, eventAgeMs } = state
  to.watchSynced.set({ kind }, state.synced ? 1 : 0)
  if (contactAgeMs !== undefined) to.watchContactAge.set({ kind }, contactAgeMs / 1000)
  if (eventAgeMs !== undefined) to.watchEventAge.set({ kind }, eventAgeMs / 1000)
  to.watchReconnects.inc({ kind }, state.reconnects)
  to.watchRelists.inc({ kind }, state.relists)
  to.watchGarbled.inc({ kind }, state.garbled)
  to.watchBadObjects.set({ kind }, state.badObjects.length)
}
