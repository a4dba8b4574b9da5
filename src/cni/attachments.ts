// The life of an attachment (one interface of one container): absent, present (a row in
// `endpoints`), leaving. There is no lock: a state changes in one synchronous step, so two calls
// for one attachment meet either before or after it. What an attachment holds (addresses, id,
// names, file) is freed when the kernel is rid of it.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Address } from '../net/address.ts'
import { type Mac, randomMac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Entry, Table } from '../state/table.ts'
import type { Bandwidth, Endpoint, HostPort } from '../tables/intent.ts'
import { endpointKey } from '../tables/tables.ts'
import { CniError, CODE } from './error.ts'
import { hostIfName } from './host-if-name.ts'
import { formatHostPort, hostPortsClash } from './host-ports.ts'
import { AddressPool, nextFree } from './ipam.ts'
import type { EndpointStore } from './store.ts'

export interface AttachmentsOptions {
  readonly endpoints: Table<Endpoint>
  /** The endpoints reconciler's settled(). */
  readonly settled: (key: string) => Promise<Entry<Endpoint> | undefined>
  /** Resolves once everything else that the pod's first packet needs is in force. */
  readonly inForce: (row: Endpoint) => Promise<void>
  readonly store: EndpointStore
  readonly log: Logger
  /** The longest a call waits for the kernel; the work itself goes on. */
  readonly waitMs: number
}

/** What ADD asks for. */
export interface Wanted {
  readonly containerId: string
  readonly ifName: string
  readonly netns: string
  readonly network: string
  readonly podNamespace: string
  readonly podName: string
  readonly podUid: string
  readonly mtu: number
  readonly podCidrs: readonly Prefix[]
  readonly mac: Mac | undefined
  readonly addresses: readonly Address[]
  readonly hostPorts: readonly HostPort[]
  readonly bandwidth: Bandwidth | undefined
}

interface Problem {
  readonly code: number
  readonly reason: string
}

const LAST_ID = 65_535n
/** How often to look whether the reconciler has got rid of what the kernel refused to delete. */
const RETRY_LOOK_MS = 1000
const FOREVER = new Promise<never>(() => {})

export class Attachments {
  readonly #options: AttachmentsOptions
  readonly #pool = new AddressPool()
  readonly #ids = new Set<bigint>()
  #lastId = 0n
  readonly #hostIfNames = new Set<string>()
  /** Deleted rows whose kernel state is not gone yet, by key. */
  readonly #leaving = new Map<string, Promise<void>>()

  constructor(options: AttachmentsOptions) {
    this.#options = options
  }

  /** Puts the endpoints on disk back as rows; to be called once, before anything else. */
  restore(): void {
    const { store, endpoints, log } = this.#options
    const positions = store.loadPositions()
    this.#pool.restoreCursors(positions.addresses)
    this.#lastId = BigInt(positions.endpointId)
    for (const endpoint of store.load()) {
      const clash =
        endpoints.get(endpointKey(endpoint)) !== undefined ||
        endpoint.addresses.some((address) => this.#pool.isUsed(address))
      if (clash) {
        log.warn({ endpoint: endpoint.id }, 'endpoint file repeats another and was moved aside')
        store.setAside(endpoint.id)
        continue
      }
      this.#hold(endpoint)
      endpoints.upsert(endpoint)
    }
  }

  /** Why no further endpoint could get its addresses, or undefined. */
  exhausted(podCidrs: readonly Prefix[]): string | undefined {
    return this.#pool.exhausted(podCidrs)
  }

  /** Resolves with the row once the kernel has it; throws CniError with everything undone. */
  async attach(wanted: Wanted): Promise<Endpoint> {
    const { endpoints } = this.#options
    const key = endpointKey(wanted)
    while (this.#leaving.has(key)) await this.#waitUntilGone(key)
    if (endpoints.get(key)) {
      const text = `container ${wanted.containerId} already has interface ${wanted.ifName}`
      throw new CniError(CODE.exists, `Cannot attach: ${text}`)
    }
    const endpoint = this.#allocate({ ...wanted, hostPorts: this.#hostPorts(wanted) })
    endpoints.upsert(endpoint)
    const problem = await this.#problemOf(endpoint)
    if (endpoints.get(key) === endpoint && !problem) return endpoint
    const pod = nameOf(wanted)
    if (endpoints.get(key) !== endpoint) {
      throw new CniError(CODE.tryAgain, `Cannot attach ${pod}: deleted meanwhile`)
    }
    await this.detach(key).catch(() => undefined) // goes on without us
    throw new CniError(problem?.code ?? CODE.kernel, `Cannot attach ${pod}: ${problem?.reason}`)
  }

  /** Why a row that was just written is no pod's network, or undefined once it is. */
  async #problemOf(endpoint: Endpoint): Promise<Problem | undefined> {
    const deadline = Date.now() + this.#options.waitMs
    const late = (what: string) => {
      return { code: CODE.tryAgain, reason: `${what} after ${this.#waited}` }
    }
    const entry = await this.#settled(endpointKey(endpoint))
    if (entry === LATE) return late('not done')
    if (entry?.row !== endpoint || entry.status.state !== 'done') {
      const reason = entry?.status.state === 'error' ? entry.status.error : 'unknown'
      return { code: CODE.kernel, reason }
    }
    try {
      const left = Math.max(0, deadline - Date.now())
      const rest = await within(this.#options.inForce(endpoint), left)
      return rest === LATE ? late('Services and policy are not in force') : undefined
    } catch (error) {
      return { code: CODE.tryAgain, reason: (error as Error).message }
    }
  }

  /**
   * Resolves once the kernel is rid of it; the absent is fine. Throws 100 when it refuses, 11 when
   * it is slow.
   */
  async detach(key: string): Promise<void> {
    this.#letGo(key)
    await this.#waitUntilGone(key)
  }

  /** As detach, but waits however long it takes. The row is gone when this returns its promise. */
  detachPatiently(key: string): Promise<void> {
    this.#letGo(key)
    return this.#leaving.get(key) ?? Promise.resolve()
  }

  #letGo(key: string): void {
    const endpoint = this.#options.endpoints.get(key)
    if (!endpoint) return
    this.#options.endpoints.delete(key)
    this.#leaving.set(key, this.#freeWhenGone(key, endpoint))
  }

  /**
   * The reconciler tries again until the kernel is rid of it; when it stops, the file waits for
   * the next start.
   */
  async #freeWhenGone(key: string, endpoint: Endpoint): Promise<void> {
    const { settled, store, log } = this.#options
    while ((await settled(key).catch(() => FOREVER)) !== undefined) {
      await sleep(RETRY_LOOK_MS, undefined, { ref: false })
    }
    store.remove(endpoint.id)
    this.#free(endpoint)
    this.#leaving.delete(key)
    log.debug({ endpoint: endpoint.id, ip: endpoint.addresses }, 'endpoint is gone')
  }

  async #waitUntilGone(key: string): Promise<void> {
    const gone = this.#leaving.get(key)
    if (!gone) return
    const entry = await this.#settled(key)
    if (entry === undefined) return gone
    if (entry === LATE) {
      const text = `Cannot detach ${key}: the kernel still holds it after ${this.#waited}`
      throw new CniError(CODE.tryAgain, text)
    }
    const reason = entry.status.state === 'error' ? entry.status.error : 'unknown'
    throw new CniError(CODE.kernel, `Cannot detach ${key}: ${reason}`)
  }

  async #settled(key: string): Promise<Entry<Endpoint> | undefined | typeof LATE> {
    try {
      return await within(this.#options.settled(key), this.#options.waitMs)
    } catch (error) {
      throw new CniError(CODE.tryAgain, `${(error as Error).message}; try again`)
    }
  }

  get #waited(): string {
    return `${this.#options.waitMs} ms`
  }

  /**
   * The wanted ones less those of the same container's first interface: Multus sends all to each.
   * Refuses what another has. A port is free as soon as its holder's row is gone: frontends follow
   * the rows.
   */
  #hostPorts(wanted: Wanted): readonly HostPort[] {
    let ports = wanted.hostPorts
    if (ports.length === 0) return ports
    for (const holder of this.#options.endpoints.rows()) {
      for (const held of holder.hostPorts) {
        const port = ports.find((each) => hostPortsClash(each, held))
        if (!port) continue
        if (holder.containerId !== wanted.containerId) throw portIsTaken(wanted, port, holder)
        ports = ports.filter((each) => each !== port)
      }
    }
    return ports
  }

  /** A new row with everything it holds, on disk before anything acts on it. All or nothing. */
  #allocate(wanted: Wanted): Endpoint {
    const { containerId, ifName, netns, network, podNamespace, podName, podUid, mtu } = wanted
    const { hostPorts, bandwidth } = wanted
    const { store } = this.#options
    const id = nextFree(this.#ids, { first: 1n, last: LAST_ID, after: this.#lastId })
    if (id === undefined) {
      throw new CniError(CODE.tryAgain, `Cannot attach: all ${LAST_ID} endpoint ids are in use`)
    }
    const addresses = this.#pool.allocate(wanted.podCidrs, wanted.addresses)
    const endpoint: Endpoint = {
      ...{ id: Number(id), containerId, ifName, netns, podNamespace, podName, podUid },
      ...{ addresses, mac: wanted.mac ?? randomMac(), hostMac: randomMac(), mtu, network },
      hostIfName: hostIfName(endpointKey(wanted), (name) => this.#hostIfNames.has(name)),
      ...{ hostPorts, ...(bandwidth && { bandwidth }) },
    }
    this.#hold(endpoint)
    this.#lastId = id
    try {
      store.savePositions({ addresses: this.#pool.cursors, endpointId: endpoint.id })
      store.save(endpoint)
    } catch (error) {
      this.#free(endpoint)
      const { message } = error as Error
      throw new CniError(CODE.io, `Cannot attach: the state directory refuses: ${message}`)
    }
    return endpoint
  }

  #hold({ id, addresses, hostIfName: name }: Endpoint): void {
    this.#pool.claim(addresses)
    this.#ids.add(BigInt(id))
    this.#hostIfNames.add(name)
  }

  #free({ id, addresses, hostIfName: name }: Endpoint): void {
    this.#pool.release(addresses)
    this.#ids.delete(BigInt(id))
    this.#hostIfNames.delete(name)
  }
}

function portIsTaken(wanted: Wanted, port: HostPort, holder: Endpoint): CniError {
  const held = holder.hostPorts.filter((each) => hostPortsClash(each, port)).map(formatHostPort)
  const text = `host port ${formatHostPort(port)} is taken: ${nameOf(holder)} has ${held}`
  return new CniError(CODE.tryAgain, `Cannot attach ${nameOf(wanted)}: ${text}`)
}

/** "pod shop/web", or the attachment where the caller names no pod. */
function nameOf(row: Wanted | Endpoint): string {
  return row.podName ? `pod ${row.podNamespace}/${row.podName}` : endpointKey(row)
}

const LATE = Symbol('late')

async function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(resolve, ms, LATE)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
