// Metrics: what is counted as it happens, what is read at the scrape, and what a failing reading
// does.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Metrics } from '../../../src/observe/metrics.ts'
import type { MetricReadings } from '../../../src/observe/readings.ts'

function readings(changes: Partial<MetricReadings> = {}): MetricReadings {
  return {
    tables: () => [],
    maps: () => [],
    packets: () => [],
    flows: () => undefined,
    unserved: () => [],
    policyClosed: () => ({ PodUnknown: 0, PolicyTooLarge: 2 }),
    eventsLost: () => 0,
    audited: () => ({ egress: 0, ingress: 0 }),
    source: () => ({ kind: 'manifests', initialized: true, ageMs: 1500, errors: [] }),
    ...changes,
  }
}

/** The value of a line of the exposition, by name and labels as they are printed. */
async function value(metrics: Metrics, line: string): Promise<number | undefined> {
  const text = await metrics.text()
  const found = text.split('\n').find((each) => each.startsWith(`${line} `))
  return found === undefined ? undefined : Number(found.slice(line.length + 1))
}

test('rounds and CNI requests are counted as they happen', async () => {
  const metrics = new Metrics('1.2.3', readings())
  metrics.observeRound('frontends', { rows: 5, failed: 2, durationMs: 10 })
  metrics.observeCni('ADD', 0, 4)
  metrics.observeCni('ADD', 11, 4)
  assert.equal(await value(metrics, 'weir_agent_version{version="1.2.3"}'), 1)
  assert.equal(await value(metrics, 'weir_reconcile_rounds_total{table="frontends"}'), 1)
  const rows = (result: string) => `weir_reconcile_rows_total{table="frontends",result="${result}"}`
  assert.equal(await value(metrics, rows('ok')), 3)
  assert.equal(await value(metrics, rows('error')), 2)
  assert.equal(await value(metrics, 'weir_cni_requests_total{verb="ADD",code="11"}'), 1)
  assert.equal(await value(metrics, 'weir_cni_duration_seconds_bucket{le="0.005",verb="ADD"}'), 2)
})

test('rows are counted by state, and as held where nobody reconciles', async () => {
  const rows = [{ status: { state: 'done' } }, { status: { state: 'error' } }]
  const table = (name: string, reconciled: boolean) => ({ name, reconciled, entries: () => rows })
  const tables = () => [table('frontends', true), table('pods', false)]
  const metrics = new Metrics('1', readings({ tables }))
  assert.equal(await value(metrics, 'weir_table_rows{table="frontends",state="done"}'), 1)
  assert.equal(await value(metrics, 'weir_table_rows{table="frontends",state="pending"}'), 0)
  assert.equal(await value(metrics, 'weir_table_rows{table="pods",state="held"}'), 2)
})

test('kernel totals are shown as they stand, drops apart from what was forwarded', async () => {
  let packets = 5n
  const metrics = new Metrics(
    '1',
    readings({
      packets: () => [
        { reason: 'none', direction: 'from_pod', packets, bytes: 50n },
        { reason: 'no_route', direction: 'from_pod', packets: 2n, bytes: 20n },
      ],
      eventsLost: () => 3n,
      audited: () => ({ egress: 0n, ingress: 2n }),
      flows: () => ({ established: 4, closing: 1, embryos: 2, expired: 9 }),
    }),
  )
  const forwarded = 'weir_forwarded_packets_total{direction="from_pod"}'
  assert.equal(await value(metrics, forwarded), 5)
  packets = 8n
  assert.equal(await value(metrics, forwarded), 8)
  assert.equal(await value(metrics, 'weir_drops_total{reason="no_route",direction="from_pod"}'), 2)
  assert.equal(
    await value(metrics, 'weir_drop_bytes_total{reason="no_route",direction="from_pod"}'),
    20,
  )
  assert.equal(await value(metrics, 'weir_events_lost_total'), 3)
  assert.equal(await value(metrics, 'weir_flows{state="embryo"}'), 2)
  assert.equal(await value(metrics, 'weir_flows_expired'), 9)
})

test('map fill is a ratio, and absent for maps that cannot be counted or overfilled', async () => {
  const maps = () => [
    { name: 'flows', maxEntries: 8, entries: 2 },
    { name: 'events', maxEntries: 4096 },
    { name: 'recent', maxEntries: 8, entries: 8, evicts: true },
  ]
  const metrics = new Metrics('1', readings({ maps }))
  assert.equal(await value(metrics, 'weir_map_fill_ratio{map="flows"}'), 0.25)
  assert.equal(await value(metrics, 'weir_map_entries{map="flows"}'), 2)
  assert.equal(await value(metrics, 'weir_map_fill_ratio{map="events"}'), undefined)
  assert.equal(await value(metrics, 'weir_map_max_entries{map="events"}'), 4096)
  assert.equal(await value(metrics, 'weir_map_entries{map="recent"}'), 8)
  assert.equal(await value(metrics, 'weir_map_fill_ratio{map="recent"}'), undefined)
})

test('the source shows its age and errors', async () => {
  const source = () => ({ kind: 'manifests', initialized: false, ageMs: 1500, errors: ['bad'] })
  const metrics = new Metrics('1', readings({ source }))
  assert.equal(await value(metrics, 'weir_source_age_seconds{source="manifests"}'), 1.5)
  assert.equal(await value(metrics, 'weir_source_errors{source="manifests"}'), 1)
  assert.equal(await value(metrics, 'weir_source_initialized{source="manifests"}'), 0)
})

test('watches of an API server are shown by kind', async () => {
  const counts = { reconnects: 3, relists: 1, garbled: 2, badObjects: ['a/b'] }
  const pods = { kind: 'Pod', synced: true, contactAgeMs: 500, ...counts }
  const state = { kind: 'kubernetes', initialized: true, ageMs: 0, errors: [], kinds: [pods] }
  const metrics = new Metrics('1', readings({ source: () => state }))
  const lines = {
    synced: 1,
    contact_age_seconds: 0.5,
    reconnects_total: 3,
    relists_total: 1,
    garbled_total: 2,
    bad_objects: 1,
  }
  for (const [name, expected] of Object.entries(lines)) {
    assert.equal(await value(metrics, `weir_watch_${name}{kind="Pod"}`), expected, name)
  }
  assert.equal(await value(metrics, 'weir_watch_event_age_seconds{kind="Pod"}'), undefined)
  // Totals are set and not added to at each scrape.
  assert.equal(await value(metrics, 'weir_watch_relists_total{kind="Pod"}'), 1)
})

test('a reading that fails is counted, empties its metrics and spares the others', async () => {
  let broken = false
  const maps = () => {
    if (broken) throw new Error('Cannot open map')
    return [{ name: 'flows', maxEntries: 8, entries: 2 }]
  }
  const metrics = new Metrics('1', readings({ maps }))
  assert.equal(await value(metrics, 'weir_map_entries{map="flows"}'), 2)
  broken = true
  const text = await metrics.text()
  assert.match(text, /weir_scrape_errors_total\{reading="maps"\} 1/)
  assert.doesNotMatch(text, /weir_map_entries\{/)
  assert.match(text, /weir_source_initialized\{source="manifests"\} 1/)
})

test('docs/metrics.md lists every metric, and only those', () => {
  const text = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')
  const documented = [...text.matchAll(/^\| `(weir_[a-z0-9_]+)`/gm)].map(([, name]) => name)
  const names = new Metrics('1', readings()).names()
  assert.deepEqual([...documented].sort(), [...names].sort())
})

test('Services that are not served are counted, and few of them named', async () => {
  const services = Array.from({ length: 30 }, (_, n) => `default/s${n}`)
  const metrics = new Metrics('1', readings({ unserved: () => services }))
  const closed = 'weir_policy_closed_addresses{condition="PolicyTooLarge"}'
  assert.equal(await value(metrics, closed), 2)
  assert.equal(await value(metrics, 'weir_services_unserved'), 30)
  assert.equal(await value(metrics, 'weir_service_unserved{service="default/s19"}'), 1)
  assert.equal(await value(metrics, 'weir_service_unserved{service="default/s20"}'), undefined)
  metrics.observeProgramming(0.3)
  assert.equal(await value(metrics, 'weir_network_programming_duration_seconds_count'), 1)
})
