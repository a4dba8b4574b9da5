// Keeps the datapath open for this node as it is now: opened when the node's row is known, opened
// again (a swap, not a gap) when its addresses, podCIDRs or uplinks change underneath.
import type { Config } from './config.ts'
import { deriveMtu, type Mtu } from './control/mtu.ts'
import { type Conflict, wire } from './control/wire.ts'
import { Datapath } from './datapath/datapath.ts'
import { detectUplinks, nodeAddressOf, type Uplink } from './datapath/uplinks.ts'
import type { XdpState } from './datapath/xdp.ts'
import type { Library } from './libbpf/library.ts'
import { prefixFamily } from './net/prefix.ts'
import { Netlink } from './netlink/netlink.ts'
import type { Logger } from './observe/log.ts'
import type { DatapathEvent } from './tables/actual.ts'
import type { Node } from './tables/intent.ts'
import type { Tables } from './tables/tables.ts'

export interface NodeDatapathOptions {
  readonly config: Config
  readonly library: Library
  readonly tables: Tables
  readonly log: Logger
}

/** What the datapath was opened for; another value means opening it again. */
interface Ground {
  readonly node: Node
  readonly uplinks: readonly Uplink[]
  readonly mtu: Mtu
}

export class NodeDatapath {
  readonly #options: NodeDatapathOptions
  readonly #listeners = new Set<(event: DatapathEvent) => void>()
  readonly #verdictWatchers = new Set<(event: DatapathEvent) => void>()
  readonly #firstOpened = Promise.withResolvers<void>()
  #current: Datapath | undefined
  #ground: Ground | undefined
  #problem: string | undefined = 'the agent has just started'
  #isOpening = false
  #stopDerivations: (() => void) | undefined
  readonly #conflicts = new Map<string, Conflict>()
  #unsubscribe: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #resync: () => void = () => {}
  #stopped = false

  constructor(options: NodeDatapathOptions) {
    this.#options = options
    // Those who wait see the rejection; nobody waiting is fine too.
    this.#firstOpened.promise.catch(() => {})
  }

  get current(): Datapath | undefined {
    return this.#current
  }

  /** Why no pod can be taken now, or undefined. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Why a pod need not wait for the datapath; undefined also while it is being opened. */
  get refusal(): string | undefined {
    return this.#isOpening ? undefined : this.#problem
  }

  /** Who asks for what another has. */
  conflicts(): readonly Conflict[] {
    return [...this.#conflicts.values()]
  }

  /** Bytes of IP packet; 0 before the node is known. */
  get podMtu(): number {
    return this.#ground?.mtu.podMtu ?? 0
  }

  /** Waits for the first opening. Rejects when the agent stops before. */
  async opened(): Promise<Datapath> {
    await this.#firstOpened.promise
    if (!this.#current) throw new Error(`Cannot use the datapath: ${this.#problem}`)
    return this.#current
  }

  /** Opens when it can, and looks again when the node's row changes and every `resyncSeconds`. */
  async start(resync: () => void): Promise<void> {
    const { config, tables } = this.#options
    this.#resync = resync
    await this.#look()
    this.#unsubscribe = tables.nodes.subscribe((key) => {
      if (key === config.nodeName) this.#lookLater()
    })
    this.#timer = setInterval(() => {
      this.#lookLater()
      if (this.#current) resync()
    }, config.resyncSeconds * 1000)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe?.()
    clearInterval(this.#timer)
    this.#stopDerivations?.()
    await this.#looking
    this.#problem = 'the agent stops'
    this.#firstOpened.reject(new Error('Cannot use the datapath: the agent stops'))
  }

  /** Lets go of what this process holds; packets notice nothing. */
  close(): void {
    this.#current?.close()
    this.#current = undefined
  }

  /** `verdicts`: the programs report every decision of policy meanwhile, to all listeners. */
  subscribeEvents(listener: (event: DatapathEvent) => void, { verdicts = false } = {}): () => void {
    this.#listeners.add(listener)
    if (verdicts) this.#watchVerdicts(listener, true)
    return () => {
      this.#listeners.delete(listener)
      if (verdicts) this.#watchVerdicts(listener, false)
    }
  }

  #watchVerdicts(listener: (event: DatapathEvent) => void, watches: boolean): void {
    if (watches) this.#verdictWatchers.add(listener)
    else this.#verdictWatchers.delete(listener)
    this.#current?.reportVerdicts(this.#verdictWatchers.size > 0)
  }

  /** For the status; empty before the datapath is open. */
  facts() {
    const { config, tables } = this.#options
    const node = this.#ground?.node ?? tables.nodes.get(config.nodeName)
    return {
      nodeName: config.nodeName,
      addresses: node?.addresses ?? [],
      podCidrs: node?.podCidrs ?? [],
      gateways: Object.values(this.#current?.gateways ?? {}),
      uplinks: this.#current?.uplinks.map(({ name }) => name) ?? [],
      mtu: this.podMtu,
      mtuDerivation: this.#ground?.mtu.derivation.join('; ') ?? '',
      xdp: describeXdp(this.#current?.xdp),
    }
  }

  #lookLater(): void {
    this.#looking = this.#looking.then(async () => {
      if (this.#stopped) return
      try {
        await this.#look()
      } catch (error) {
        // The datapath that is open goes on; the next look tries again.
        this.#problem = (error as Error).message
        this.#options.log.error({ err: error }, 'Cannot open the datapath again')
      }
    })
  }

  async #look(): Promise<void> {
    const { config, tables, log } = this.#options
    const node = tables.nodes.get(config.nodeName)
    const missing = whatIsMissing(config.nodeName, node)
    if (missing !== undefined || !node) {
      if (this.#problem !== missing) log.warn({ reason: missing }, 'Waiting for the own Node')
      this.#problem = missing
      return
    }
    const ground = this.#survey(node)
    if (JSON.stringify(ground) === JSON.stringify(this.#ground) && this.#current) {
      this.#problem = undefined
      return
    }
    this.#isOpening = true
    this.#problem = 'the datapath is being opened'
    const before = this.#ground
    this.#ground = ground
    try {
      await this.#open(ground)
      this.#problem = undefined
    } catch (error) {
      this.#ground = before
      throw error
    } finally {
      this.#isOpening = false
    }
  }

  /** What the node stands on now. */
  #survey(node: Node): Ground {
    const { config, library } = this.#options
    using netlink = Netlink.open(library)
    const { addresses, podCidrs, name } = node
    const uplinks = detectUplinks(netlink, { names: config.uplinks, nodeAddresses: addresses })
    const smallest = uplinks.reduce((a, b) => (b.mtu < a.mtu ? b : a))
    const mtu = deriveMtu({
      uplinkMtu: smallest.mtu,
      uplinkName: smallest.name,
      routing: config.routing,
      underlayFamily: nodeAddressOf(4, addresses, uplinks) ? 4 : 6,
      podFamilies: [...new Set(podCidrs.map(prefixFamily))],
      ...(config.mtu === undefined ? {} : { override: config.mtu }),
    })
    // Labels are no ground to open anything again, nor is it that the node is to go.
    return { node: { name, addresses, podCidrs, labels: {}, leaving: false }, uplinks, mtu }
  }

  async #open(ground: Ground): Promise<void> {
    const { config, library, log } = this.#options
    const { node, uplinks, mtu } = ground
    log.info({ uplinks, podCidrs: node.podCidrs, mtu }, 'Opening the datapath')
    const { overlayPort: port, overlayVni: vni } = config
    const datapath = await Datapath.open({
      ...{ library, log, node, uplinks, podMtu: mtu.podMtu },
      bpfRoot: config.bpfRoot,
      cgroupRoot: config.cgroupRoot,
      object: config.object,
      socketServices: config.socketServices,
      xdp: config.xdp,
      policyTables: this.#options.tables,
      maglevSize: config.maglevSize,
      podNamespaces: () => [...this.#options.tables.endpoints.rows()].map(({ netns }) => netns),
      masquerade: config.masquerade,
      masqueradePorts: config.masqueradePorts,
      overlay: { port, vni, device: config.routing !== 'native' },
      maxEntries: mapSizes(config),
    })
    const before = this.#current
    this.#current = datapath
    before?.close()
    datapath.reportVerdicts(this.#verdictWatchers.size > 0)
    datapath.subscribeEvents((event) => {
      for (const listener of this.#listeners) listener(event)
    })
    this.#derive(uplinks)
    this.#firstOpened.resolve()
    if (before) this.#resync()
  }

  /** (Re)starts the derivations, whose results depend on who is a neighbour on the uplinks. */
  #derive(uplinks: readonly Uplink[]): void {
    const { config, tables, log } = this.#options
    const onLinkPrefixes = uplinks.flatMap(({ onLink }) => onLink)
    const { nodeName, routing } = config
    const settings = { nodeName, routing, onLinkPrefixes, services: config }
    // The new ones take over the rows of those before, and what they do not derive goes.
    this.#stopDerivations?.()
    this.#conflicts.clear()
    this.#stopDerivations = wire(
      tables,
      settings,
      (conflict) => {
        log.warn({ ...conflict }, 'Two objects ask for the same thing, one has it')
        this.#conflicts.set(conflictName(conflict), conflict)
      },
      (resolved) => this.#conflicts.delete(conflictName(resolved)),
    )
  }
}

function mapSizes({ maxFlows, maxFrontends, maxBackends }: Config): Record<string, number> {
  return {
    // Two entries a connection.
    ...(maxFlows === undefined ? {} : { flows: maxFlows * 2 }),
    ...(maxFrontends === undefined ? {} : { services: maxFrontends }),
    ...(maxBackends === undefined ? {} : { backends: maxBackends }),
  }
}

function conflictName({ table, key, loser }: Omit<Conflict, 'owner'>): string {
  return `${table} ${key} ${loser}`
}

/** "native on eth0", "off on eth0: another XDP program is attached (EBUSY)". */
function describeXdp(states: readonly XdpState[] | undefined): string {
  if (!states) return 'not known yet'
  return states
    .map(({ mode, device, reason }) => `${mode} on ${device}${reason ? `: ${reason}` : ''}`)
    .join('; ')
}

function whatIsMissing(nodeName: string, node: Node | undefined): string | undefined {
  if (!node) return `node ${nodeName} is not known yet`
  if (node.podCidrs.length === 0) return `node ${nodeName} has no podCIDR yet`
  return undefined
}
