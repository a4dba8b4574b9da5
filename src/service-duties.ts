// What an agent does for Services beside filling maps: it answers load balancers, reads what is not
// masqueraded, and measures how fast it follows.
import type { Config } from './config.ts'
import { answersFor } from './health/answers.ts'
import { HealthListeners } from './health/listeners.ts'
import { ProxyHealth } from './health/proxy-health.ts'
import type { Problem } from './kube/conditions.ts'
import { MasqueradeReader } from './masquerade/reader.ts'
import { type Logger, roomLogger } from './observe/log.ts'
import type { Metrics, Round } from './observe/metrics.ts'
import { ProgrammingLatency } from './programming-latency.ts'
import { ServiceCapacity } from './service-capacity.ts'
import type { Tables } from './tables/tables.ts'

export interface ServiceDutiesOptions {
  readonly config: Pick<Config, 'nodeName' | 'masqueradeConfig' | 'maglevSize'>
  readonly tables: Tables
  readonly metrics: Metrics
  readonly log: Logger
  /** Entries that a map has room for; undefined while it is not there. */
  readonly roomOf: (map: string) => number | undefined
}

export class ServiceDuties {
  /** Operations of table healthChecks. */
  readonly listeners: HealthListeners
  readonly #health: ProxyHealth
  readonly #latency: ProgrammingLatency
  readonly #masquerade: MasqueradeReader
  readonly #capacity: ServiceCapacity

  constructor({ config, tables, metrics, log, roomOf }: ServiceDutiesOptions) {
    const { nodeName, masqueradeConfig: path, maglevSize } = config
    const { frontends, endpointSlices, masqueradeExclusions: exclusions } = tables
    const health = new ProxyHealth({ frontends, ownNode: () => tables.nodes.get(nodeName) })
    this.#health = health
    this.listeners = new HealthListeners((row) => answersFor(row, { tables, nodeName, health }))
    const observe = metrics.observeProgramming
    this.#latency = new ProgrammingLatency({ endpointSlices, frontends, observe })
    const stateLog = roomLogger(log, 'state')
    this.#capacity = new ServiceCapacity({ frontends, maglevSize, roomOf, log: stateLog })
    this.#masquerade = new MasqueradeReader({
      path,
      exclusions,
      log: roomLogger(log, 'masquerade'),
    })
  }

  start(): void {
    this.#masquerade.start()
  }

  /** Fits ReconcilerOptions.onRound. */
  readonly observeRound = (table: string, { durationMs }: Round): void => {
    if (table !== 'frontends') return
    this.#health.observeRound(durationMs)
    this.#latency.observeRound()
    this.#capacity.observeRound()
  }

  /** What is wrong now. */
  problems(): Problem[] {
    const { problem: text } = this.#masquerade
    const reason = 'MasqueradeFileNotUsable'
    return [...(text === undefined ? [] : [{ reason, text }]), ...this.#capacity.problems()]
  }

  async stop(): Promise<void> {
    this.#masquerade.stop()
    this.#latency.stop()
    this.#capacity.stop()
    this.#health.stop()
    await this.listeners.stop()
  }
}
