// Answers CNI calls. A call becomes a row in `endpoints` (or the deletion of one) and the answer
// waits for the reconciler; nothing here touches the kernel's network.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Prefix } from '../net/prefix.ts'
import type { Entry, Table } from '../state/table.ts'
import type { Endpoint, Node } from '../tables/intent.ts'
import { endpointKey } from '../tables/tables.ts'
import { Attachments } from './attachments.ts'
import { compareWithPrevious } from './check.ts'
import { CniError, CODE } from './error.ts'
import { invalidAttachments } from './gc.ts'
import type { JsonObject } from './json.ts'
import { checkNetns } from './netns.ts'
import { DelQueue } from './queue.ts'
import {
  type CniCall,
  decodeConfig,
  parseRequest,
  parseVerb,
  type Request,
  versionForErrors,
} from './request.ts'
import { formatResult } from './result.ts'
import { EndpointStore } from './store.ts'
import { NEWEST, VERSIONS, type Version } from './versions.ts'
import { parseWishes } from './wishes.ts'

export interface CniServerOptions {
  readonly endpoints: Table<Endpoint>
  /** The endpoints reconciler's settled(). */
  readonly settled: (key: string) => Promise<Entry<Endpoint> | undefined>
  /** Resolves once everything else that the pod's first packet needs is in force. */
  readonly inForce: (row: Endpoint) => Promise<void>
  /** This node's row, once the source has it. */
  readonly ownNode: () => Node | undefined
  /** MTU of pod interfaces, bytes of IP packet. */
  readonly podMtu: () => number
  /** Why the datapath cannot take pods now, or undefined. */
  readonly notReady: () => string | undefined
  /** Differences between a row and the kernel, one sentence each. */
  readonly checkEndpoint: (row: Endpoint) => Promise<string[]>
  readonly stateDir: string
  readonly log: Logger
  readonly bootId?: string
  /** The longest a call waits for the kernel; well below the runtimes' 2 minutes. */
  readonly waitMs?: number
  /** The longest ADD and CHECK wait for an agent that is starting. */
  readonly readyMs?: number
}

const READY_LOOK_MS = 20

export interface CniAnswer {
  readonly stdout: string
  readonly exitCode: number
}

export class CniServer {
  readonly #options: CniServerOptions
  readonly #store: EndpointStore
  readonly #attachments: Attachments
  readonly #queue: DelQueue

  constructor(options: CniServerOptions) {
    const { endpoints, settled, inForce, stateDir, log, bootId, waitMs = 30_000 } = options
    this.#options = options
    this.#store = new EndpointStore({ stateDir, log, ...(bootId !== undefined && { bootId }) })
    const rest = { store: this.#store, log, waitMs }
    this.#attachments = new Attachments({ endpoints, settled, inForce, ...rest })
    this.#queue = new DelQueue({ stateDir, log, carryOut: (call) => this.#carryOutQueued(call) })
  }

  /**
   * Restores the rows from disk, then applies the queued DELs; marks the table initialized.
   * Synchronous. The endpoints reconciler must exist by now, or the queued DELs' rows vanish
   * without being carried out.
   */
  start(): void {
    this.#attachments.restore()
    this.#queue.start()
    this.#options.endpoints.markInitialized()
  }

  stop(): void {
    this.#queue.stop()
    this.#store.close()
  }

  /** Never throws: an error is an answer. */
  async handle(call: CniCall): Promise<CniAnswer> {
    let version: Version = NEWEST
    try {
      const verb = parseVerb(call.env)
      if (verb === 'VERSION') return answer({ cniVersion: NEWEST, supportedVersions: VERSIONS })
      const config = decodeConfig(call.stdin)
      version = versionForErrors(config)
      return answer(await this.#run(parseRequest(verb, call.env, config)))
    } catch (error) {
      return this.#fail(version, call, error as Error)
    }
  }

  async #run(request: Request): Promise<object | undefined> {
    switch (request.verb) {
      case 'ADD':
        return this.#add(request)
      case 'DEL':
        await this.#attachments.detach(endpointKey(request))
        return undefined
      case 'CHECK':
        return this.#check(request)
      case 'GC':
        return this.#collect(request)
      case 'STATUS':
        return this.#status()
      case 'VERSION':
        return undefined
    }
  }

  async #add(request: Request): Promise<object> {
    const { version, network, containerId, ifName, netns, netnsOverride, args } = request
    const { dns, ...wishes } = parseWishes(request)
    checkNetns(netns, { override: netnsOverride })
    const wait = this.#untilReady()
    if (wait) await wait
    const podCidrs = this.#podCidrs(CODE.tryAgain)
    // A queued DEL of the same attachment is older than this ADD, and must not undo it later.
    this.#queue.drain()
    const endpoint = await this.#attachments.attach({
      ...{ containerId, ifName, netns, network, podCidrs, ...wishes },
      podNamespace: args.podNamespace,
      podName: args.podName,
      podUid: args.podUid,
      mtu: this.#options.podMtu(),
    })
    this.#options.log.debug({ endpoint: endpoint.id, ip: endpoint.addresses }, 'endpoint attached')
    return formatResult(version, { endpoint, podCidrs, dns })
  }

  async #check(request: Request): Promise<undefined> {
    const endpoint = this.#options.endpoints.get(endpointKey(request))
    if (!endpoint) {
      const text = `container ${request.containerId} has no interface ${request.ifName} here`
      throw new CniError(CODE.unknownContainer, `Cannot check: ${text}`)
    }
    await this.#untilReady()
    this.#podCidrs(CODE.tryAgain)
    const previous = compareWithPrevious(endpoint, request.config['prevResult'])
    checkNetns(request.netns, { override: request.netnsOverride })
    const differences = [...previous, ...(await this.#options.checkEndpoint(endpoint))]
    if (differences.length === 0) return undefined
    throw new CniError(
      CODE.differs,
      `Cannot confirm ${endpointKey(endpoint)}: ${differences[0]}`,
      differences.join('\n'),
    )
  }

  async #collect({ network, config }: Request): Promise<undefined> {
    this.#queue.drain()
    const keys = invalidAttachments(config, network, this.#options.endpoints.rows())
    const results = await Promise.allSettled(keys.map((key) => this.#attachments.detach(key)))
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [(result.reason as Error).message] : [],
    )
    if (keys.length > 0) this.#options.log.info({ endpoints: keys.length }, 'GC removed endpoints')
    if (failures.length === 0) return undefined
    const text = `${failures.length} of ${keys.length} attachments are not gone`
    throw new CniError(CODE.tryAgain, `Cannot collect garbage: ${text}`, failures.join('\n'))
  }

  #status(): undefined {
    const podCidrs = this.#podCidrs(CODE.notAvailable)
    const exhausted = this.#attachments.exhausted(podCidrs)
    if (exhausted) throw new CniError(CODE.notAvailable, `Cannot take pods: ${exhausted}`)
    return undefined
  }

  /**
   * Waits a little for an agent that is starting: its socket listens before its programs run. Not
   * a promise when there is nothing to wait for, so that calls take effect in the order they came.
   */
  #untilReady(): Promise<void> | undefined {
    return this.#problem() === undefined ? undefined : this.#waitUntilReady()
  }

  async #waitUntilReady(): Promise<void> {
    const { readyMs = 10_000 } = this.#options
    const deadline = Date.now() + readyMs
    while (this.#problem() !== undefined && Date.now() < deadline) await sleep(READY_LOOK_MS)
  }

  /** Why this node cannot take pods now, or undefined. */
  #problem(): string | undefined {
    const node = this.#options.ownNode()
    if (!node) return this.#options.notReady() ?? 'the node is unknown'
    return (
      this.#options.notReady() ?? (node.podCidrs.length ? undefined : 'the node has no podCIDR')
    )
  }

  /** Our node's podCIDRs, when it can take pods; throws `code` otherwise. */
  #podCidrs(code: number): readonly Prefix[] {
    const problem = this.#problem()
    if (problem !== undefined) throw new CniError(code, `Cannot take pods: ${problem}`)
    return this.#options.ownNode()?.podCidrs ?? []
  }

  #carryOutQueued({ env, stdin }: CniCall): Promise<void> {
    const request = parseRequest(parseVerb(env), env, decodeConfig(stdin))
    if (request.verb !== 'DEL') throw new Error(`Cannot carry out ${request.verb}: not a DEL`)
    return this.#attachments.detachPatiently(endpointKey(request))
  }

  #fail(version: Version, { env }: CniCall, error: Error): CniAnswer {
    const { log } = this.#options
    const verb = env['CNI_COMMAND']
    const containerId = env['CNI_CONTAINERID']
    if (error instanceof CniError) {
      const { code, message, details } = error
      // Runtimes ask for STATUS every few seconds: not being ready is said elsewhere, once.
      const level = verb === 'STATUS' ? 'debug' : 'warn'
      log[level]({ verb, containerId, code, details, reason: message }, 'CNI call failed')
      return failure({ cniVersion: version, code, msg: message, ...(details && { details }) })
    }
    log.error({ err: error, verb, containerId }, 'CNI call broke')
    return failure({ cniVersion: version, code: CODE.internal, msg: error.message })
  }
}

function answer(result: object | undefined): CniAnswer {
  return { stdout: result ? `${JSON.stringify(result)}\n` : '', exitCode: 0 }
}

function failure(error: JsonObject): CniAnswer {
  return { stdout: `${JSON.stringify(error)}\n`, exitCode: 1 }
}
