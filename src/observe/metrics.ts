// What the agent counts, for Prometheus. Events are counted as they happen; states (rows, map fill,
// kernel counters, flows) are read when somebody scrapes, so an idle agent does no work for them.
import { collectDefaultMetrics, Registry } from 'prom-client'
import { createInstruments, type Instruments } from './instruments.ts'
import type { MetricReadings } from './readings.ts'
import { takeReadings } from './scrape.ts'

/** What a reconciler says about one round, as ReconcilerOptions.onRound gives it. */
export interface Round {
  readonly rows: number
  readonly failed: number
  readonly durationMs: number
}

export class Metrics {
  readonly #registry = new Registry()
  readonly #instruments: Instruments
  readonly #readings: MetricReadings

  /** `readings` are taken at every scrape; one that fails leaves its metrics empty. */
  constructor(version: string, readings: MetricReadings) {
    this.#readings = readings
    this.#instruments = createInstruments(this.#registry)
    this.#instruments.version.set({ version }, 1)
    // The event loop is sampled ten times a second, not a hundred: an idle agent should sleep.
    collectDefaultMetrics({
      register: this.#registry,
      prefix: 'weir_',
      eventLoopMonitoringPrecision: 100,
    })
  }

  /** Fits ReconcilerOptions.onRound. */
  readonly observeRound = (table: string, { rows, failed, durationMs }: Round): void => {
    const { rounds, roundRows, roundSeconds } = this.#instruments
    rounds.inc({ table })
    roundRows.inc({ table, result: 'ok' }, rows - failed)
    roundRows.inc({ table, result: 'error' }, failed)
    roundSeconds.observe({ table }, durationMs / 1000)
  }

  /** A change of endpoints has reached the map. */
  readonly observeProgramming = (seconds: number): void => {
    this.#instruments.programmingSeconds.observe(seconds)
  }

  /** One CNI request answered; code 0 is success, else the CNI error code. */
  readonly observeCni = (verb: string, code: number, durationMs: number): void => {
    this.#instruments.cniRequests.inc({ verb, code: String(code) })
    this.#instruments.cniSeconds.observe({ verb }, durationMs / 1000)
  }

  /** Takes the readings and gives the exposition text in Prometheus' format. */
  async text(): Promise<string> {
    await takeReadings(this.#readings, this.#instruments)
    return this.#registry.metrics()
  }

  /** Names of all metrics, for the comparison with the documentation. */
  names(): string[] {
    return this.#registry.getMetricsAsArray().map(({ name }) => name)
  }

  get contentType(): string {
    return this.#registry.contentType
  }
}
