// Every metric of the agent: name, help, labels. docs/metrics.md lists the same; a test compares.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

const CNI_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 5]
/** Those of kube-proxy's histogram, and finer ones below. */
const PROGRAMMING_SECONDS = [
  ...[0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  ...Array.from({ length: 59 }, (_, n) => 1 + n),
  ...Array.from({ length: 12 }, (_, n) => 60 + 5 * n),
  ...Array.from({ length: 7 }, (_, n) => 120 + 30 * n),
]
const ROUND_SECONDS = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5]

export type Instruments = ReturnType<typeof createInstruments>

/** Registers them all, without values. */
export function createInstruments(registry: Registry) {
  return {
    ...agentInstruments(registry),
    ...kernelInstruments(registry),
    ...sourceInstruments(registry),
  }
}

function agentInstruments(registry: Registry) {
  const { gauge, counter, histogram } = factory(registry)
  return {
    version: gauge('agent_version', 'Always 1; the label carries the version.', ['version']),
    rows: gauge('table_rows', 'Rows of a table, by state (pending, done, error; held).', [
      'table',
      'state',
    ]),
    rounds: counter('reconcile_rounds_total', 'Rounds in which a reconciler had work.', ['table']),
    roundRows: counter('reconcile_rows_total', 'Rows reconciled, by result (ok, error).', [
      'table',
      'result',
    ]),
    roundSeconds: histogram(
      'reconcile_duration_seconds',
      'Duration of a reconciler round.',
      ['table'],
      ROUND_SECONDS,
    ),
    cniRequests: counter(
      'cni_requests_total',
      'CNI requests, by verb and CNI error code (0 is success).',
      ['verb', 'code'],
    ),
    cniSeconds: histogram(
      'cni_duration_seconds',
      'Duration of a CNI request inside the agent.',
      ['verb'],
      CNI_SECONDS,
    ),
    programmingSeconds: histogram(
      'network_programming_duration_seconds',
      'Time from a change of endpoints, as the slice says, to the map that follows it.',
      [],
      PROGRAMMING_SECONDS,
    ),
    servicesUnserved: gauge(
      'services_unserved',
      'Services that the kernel does not have as wanted.',
      [],
    ),
    serviceUnserved: gauge(
      'service_unserved',
      'Always 1: a Service that the kernel does not have as wanted, of many the first 20.',
      ['service'],
    ),
    policyClosed: gauge(
      'policy_closed_addresses',
      'Addresses of pods that policy has closed, by condition.',
      ['condition'],
    ),
    scrapeErrors: counter('scrape_errors_total', 'Readings that failed at a scrape, by reading.', [
      'reading',
    ]),
  }
}

function kernelInstruments(registry: Registry) {
  const { gauge, counter } = factory(registry)
  return {
    mapEntries: gauge('map_entries', 'Entries that a BPF map holds.', ['map']),
    mapRoom: gauge('map_max_entries', 'Entries that a BPF map has room for.', ['map']),
    mapFill: gauge('map_fill_ratio', 'Entries of a BPF map over its room, 0 to 1.', ['map']),
    drops: counter('drops_total', 'Packets dropped, by reason and direction.', [
      'reason',
      'direction',
    ]),
    dropBytes: counter('drop_bytes_total', 'Bytes dropped, by reason and direction.', [
      'reason',
      'direction',
    ]),
    forwarded: counter('forwarded_packets_total', 'Packets passed on, by direction.', [
      'direction',
    ]),
    forwardedBytes: counter('forwarded_bytes_total', 'Bytes passed on, by direction.', [
      'direction',
    ]),
    audited: counter(
      'policy_audited_total',
      'Connections that policy would have denied in namespaces that are only watched.',
      ['direction'],
    ),
    eventsLost: counter('events_lost_total', 'Events that the ring buffer had no room for.', []),
    flows: gauge(
      'flows',
      'Connections by state (established, closing, embryo), as of the last collector run.',
      ['state'],
    ),
    flowsExpired: gauge('flows_expired', 'Connections removed by the last collector run.', []),
  }
}

function sourceInstruments(registry: Registry) {
  const { gauge, counter } = factory(registry)
  return {
    sourceInitialized: gauge('source_initialized', '1 once the first list is complete.', [
      'source',
    ]),
    sourceErrors: gauge('source_errors', 'Things of the source that cannot be read now.', [
      'source',
    ]),
    sourceAge: gauge(
      'source_age_seconds',
      'Seconds since the source was last known to be up to date.',
      ['source'],
    ),
    watchSynced: gauge('watch_synced', '1 once the first list of a kind is complete.', ['kind']),
    watchContactAge: gauge(
      'watch_contact_age_seconds',
      'Seconds since the API server last said anything about a kind, bookmarks included.',
      ['kind'],
    ),
    watchEventAge: gauge('watch_event_age_seconds', 'Seconds since the last event of a kind.', [
      'kind',
    ]),
    watchReconnects: counter('watch_reconnects_total', 'Watches that were resumed.', ['kind']),
    watchRelists: counter('watch_relists_total', 'Lists made after the first.', ['kind']),
    watchGarbled: counter(
      'watch_garbled_total',
      'Answers and events that could not be understood; each led to a new list.',
      ['kind'],
    ),
    watchBadObjects: gauge(
      'watch_bad_objects',
      'Objects that cannot be used now; their earlier rows are kept.',
      ['kind'],
    ),
  }
}

function factory(registry: Registry) {
  const registers = [registry]
  return {
    gauge: <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Gauge({ name: `weir_${name}`, help, labelNames, registers }),
    counter: <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter({ name: `weir_${name}`, help, labelNames, registers }),
    histogram: <L extends string>(
      name: string,
      help: string,
      labelNames: L[],
      buckets: readonly number[],
    ) =>
      new Histogram({
        name: `weir_${name}`,
        help,
        labelNames,
        buckets: [...buckets],
        registers,
      }),
  }
}
