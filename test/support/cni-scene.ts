// A CniServer over the real reconciler and a pretended datapath, for tests: the kernel is a Map of
// rows whose faults are verbs (refuse, hold).
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Logger, pino } from 'pino'
import { type CniAnswer, CniServer } from '../../src/cni/server.ts'
import { parsePrefix } from '../../src/net/prefix.ts'
import { type Failures, Reconciler } from '../../src/state/reconciler.ts'
import type { Endpoint, Node } from '../../src/tables/intent.ts'
import { createTables, endpointKey, type Tables } from '../../src/tables/tables.ts'

/** A namespace that is not this process's network namespace, and opens everywhere. */
export const SOME_NETNS = '/proc/self/ns/uts'

export interface SceneOptions {
  podCidrs?: string[]
  waitMs?: number
  readyMs?: number
  bootId?: string
  /** State directory of an earlier scene, to play a restart. */
  stateDir?: string
}

export class Scene {
  readonly tables: Tables = createTables()
  readonly kernel = new Map<string, Endpoint>()
  readonly stateDir: string
  readonly server: CniServer
  readonly reconciler: Reconciler<Endpoint>
  readonly logged: Record<string, unknown>[] = []
  podCidrs: string[]
  notReady: string | undefined
  differences: string[] = []
  inForce: (row: Endpoint) => Promise<void> = async () => {}
  #refusal: string | undefined
  #deleteRefusal: string | undefined
  #gate: Promise<void> = Promise.resolve()
  #heldVerb: 'update' | 'delete' | undefined

  constructor({ podCidrs = ['10.0.1.0/24', 'fd00:1::/64'], ...options }: SceneOptions = {}) {
    this.podCidrs = podCidrs
    this.stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'weir-cni-'))
    mkdirSync(this.stateDir, { recursive: true })
    this.reconciler = new Reconciler(this.tables.endpoints, {
      update: (rows) => this.#update(rows),
      delete: (rows) => this.#delete(rows),
    })
    this.server = new CniServer({
      endpoints: this.tables.endpoints,
      settled: (key) => this.reconciler.settled(key),
      inForce: (row) => this.inForce(row),
      ownNode: () => this.#node(),
      podMtu: () => 1450,
      notReady: () => this.notReady,
      checkEndpoint: async () => this.differences,
      stateDir: this.stateDir,
      log: this.#logger(),
      bootId: options.bootId ?? 'boot-1',
      waitMs: options.waitMs ?? 5000,
      readyMs: options.readyMs ?? 5000,
    })
    this.server.start()
    this.reconciler.start()
  }

  /** Every update fails with this text until called with undefined. */
  refuse(text: string | undefined): void {
    this.#refusal = text
  }

  /** Every delete fails with this text until called with undefined. */
  refuseDelete(text: string | undefined): void {
    this.#deleteRefusal = text
  }

  /** Calls of one verb wait until the returned function is called. */
  hold(verb: 'update' | 'delete'): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#heldVerb = verb
    this.#gate = promise
    return () => {
      this.#heldVerb = undefined
      resolve()
    }
  }

  async call(verb: string, fields: CallFields = {}): Promise<CallAnswer> {
    const {
      containerId = 'c1',
      ifName = 'eth0',
      netns = SOME_NETNS,
      config = {},
      env = {},
    } = fields
    const stdin =
      fields.stdin ?? JSON.stringify({ cniVersion: '1.1.0', name: 'weir', type: 'weir', ...config })
    const answer = await this.server.handle({
      env: {
        ...{ CNI_COMMAND: verb, CNI_CONTAINERID: containerId, CNI_IFNAME: ifName },
        ...{ CNI_NETNS: netns, CNI_PATH: '/opt/cni/bin', ...env },
      },
      stdin,
    })
    return { ...answer, json: answer.stdout ? JSON.parse(answer.stdout) : undefined }
  }

  async stop(): Promise<void> {
    this.server.stop()
    await this.reconciler.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#heldVerb = undefined
    await this.stop()
    rmSync(this.stateDir, { recursive: true, force: true })
  }

  #node(): Node {
    const podCidrs = this.podCidrs.map(parsePrefix)
    return { name: 'n1', addresses: [], podCidrs, labels: {}, leaving: false }
  }

  async #update(rows: readonly Endpoint[]): Promise<Failures> {
    if (this.#heldVerb === 'update') await this.#gate
    const failures = new Map<string, Error>()
    for (const row of rows) {
      const key = endpointKey(row)
      this.kernel.set(key, row) // half-done work stays behind, as in a real kernel
      if (this.#refusal !== undefined) failures.set(key, new Error(this.#refusal))
    }
    return failures
  }

  async #delete(rows: readonly Endpoint[]): Promise<Failures> {
    if (this.#heldVerb === 'delete') await this.#gate
    if (this.#deleteRefusal !== undefined) throw new Error(this.#deleteRefusal)
    for (const row of rows) this.kernel.delete(endpointKey(row))
    return new Map()
  }

  #logger(): Logger {
    const write = (line: string) => this.logged.push(JSON.parse(line))
    return pino({ level: 'debug' }, { write })
  }
}

export interface CallFields {
  containerId?: string
  ifName?: string
  netns?: string
  config?: Record<string, unknown>
  stdin?: string
  env?: Record<string, string>
}

// biome-ignore lint/suspicious/noExplicitAny: tests read the JSON as a runtime would
export type CallAnswer = CniAnswer & { json: any }
