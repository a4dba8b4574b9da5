// The datapath of one node, loaded and attached: what the reconcilers write to and what is read
// back. Opening it again, in this process or the next, swaps programs without losing a packet;
// closing it takes nothing away. Only removeAll() (remove.ts) does.
import type { Logger } from 'pino'
import type { Library } from '../libbpf/library.ts'
import type { BpfObject } from '../libbpf/object.ts'
import { type Address, parseAddress } from '../net/address.ts'
import { listLinks } from '../netlink/links.ts'
import { Netlink } from '../netlink/netlink.ts'
import { readNetnsCookie } from '../netlink/sockets.ts'
import type { Operations } from '../state/reconciler.ts'
import type { ActualEndpoint, ActualRoute, DatapathEvent, FlowCounts } from '../tables/actual.ts'
import type { Destination, Frontend, MasqueradeExclusion, NodeRoute } from '../tables/desired.ts'
import type { Endpoint, Node } from '../tables/intent.ts'
import { findProblems } from './check-endpoint.ts'
import { destinationOperations, writeLocalDestinations } from './destinations.ts'
import { Endpoints, readEndpoints } from './endpoints.ts'
import { KernelMap } from './entry-map.ts'
import { bumpEpoch, writeWord } from './epoch.ts'
import { Events } from './events.ts'
import { FlowCollector } from './flow-gc.ts'
import { ensureGateway, type GatewayDevices, type Gateways, gatewaysOf } from './gateway.ts'
import { attachHooks, type Hook, requireCgroup2 } from './hooks.ts'
import * as layout from './layout.gen.ts'
import { loadObject } from './loader.ts'
import { exclusionOperations, type PortRange, writeUplinks } from './masquerade.ts'
import { hostRoute, nodeRouteOperations, type RouteContext, readNodeRoutes } from './node-routes.ts'
import { pinsUnder, requireBpffs } from './pins.ts'
import type { Policy, PolicyTables } from './policy.ts'
import { EXPLAIN_PROGRAM } from './policy-explain.ts'
import { openPolicy } from './policy-open.ts'
import { openServices } from './service-open.ts'
import type { Services } from './services.ts'
import { nodeAddressOf, type Uplink } from './uplinks.ts'
import { attachXdp, type XdpDevice, type XdpState, type XdpWish } from './xdp.ts'

export interface DatapathOptions {
  readonly library: Library
  readonly log: Logger
  /** This node's row: its addresses and podCIDRs. */
  readonly node: Node
  readonly uplinks: readonly Uplink[]
  /** Bytes of IP packet in pods. */
  readonly podMtu: number
  readonly bpfRoot: string
  readonly cgroupRoot: string
  readonly object: string
  readonly socketServices: boolean
  /** Slots of a Maglev set, a prime. */
  readonly maglevSize: number
  /** Paths of the pods' network namespaces now. */
  readonly podNamespaces: () => Iterable<string>
  readonly xdp: XdpWish
  /** VXLAN by the programs; without its device (routing native) only what is handed over. */
  readonly overlay: { readonly port: number; readonly vni: number; readonly device: boolean }
  /** Entries that maps have room for, by name; the others as compiled. */
  readonly maxEntries: Readonly<Record<string, number>>
  /** Pods leave the cluster with the node's address. */
  readonly masquerade: boolean
  /** Also for clients of a Service whose backend is elsewhere. */
  readonly masqueradePorts: PortRange
  /** Read as a whole, so that they come into force as a whole. */
  readonly policyTables: PolicyTables
}

export class Datapath {
  readonly gateways: Gateways
  readonly uplinks: readonly Uplink[]
  readonly endpoints: Operations<Endpoint>
  readonly frontends: Operations<Frontend>
  readonly destinations: Operations<Destination>
  readonly nodeRoutes: Operations<NodeRoute>
  readonly masqueradeExclusions: Operations<MasqueradeExclusion>
  readonly policy: Policy
  readonly #netlink: Netlink
  readonly #object: BpfObject
  readonly #services: Services
  readonly #events: Events
  readonly #collector: FlowCollector
  readonly #endpointMap: KernelMap<layout.EndpointKey, layout.Endpoint>
  readonly #programs: {
    fromPod: ReturnType<BpfObject['program']>
    toPod: ReturnType<BpfObject['program']>
  }
  readonly #routeContext: RouteContext
  #xdp: readonly XdpState[] = []

  /** Loads, attaches and restores. Throws with the datapath as it was before, or partly swapped. */
  static async open(options: DatapathOptions): Promise<Datapath> {
    requireBpffs(options.bpfRoot)
    if (options.socketServices) requireCgroup2(options.cgroupRoot)
    const netlink = Netlink.open(options.library)
    const gateways = gatewaysOf(options.node.podCidrs)
    const devices = ensureGateway(netlink, {
      gateways,
      podMtu: options.podMtu,
      uplinkMtu: Math.min(...options.uplinks.map(({ mtu }) => mtu)),
      ...(options.overlay.device ? { overlayPort: options.overlay.port } : {}),
    })
    const pins = pinsUnder(options.bpfRoot)
    const object = loadObject({
      library: options.library,
      object: options.object,
      config: programConfig(options, gateways, devices),
      maps: pins.maps,
      log: options.log,
      maxEntries: options.maxEntries,
    })
    const datapath = new Datapath(options, { netlink, object, gateways, devices })
    datapath.#restore(options.node)
    pins.links.create()
    pins.programs.create()
    pins.programs.remove(EXPLAIN_PROGRAM)
    object.program(EXPLAIN_PROGRAM).pin(pins.programs.path(EXPLAIN_PROGRAM))
    const attaching = {
      library: options.library,
      pins: pins.links,
      program: (name: string) => object.program(name),
      log: options.log,
    }
    await attachHooks(hooksOf(options, object, devices), attaching)
    datapath.#xdp = attachXdp(xdpDevices(netlink, options.uplinks), options.xdp, attaching)
    return datapath
  }

  private constructor(
    options: DatapathOptions,
    opened: { netlink: Netlink; object: BpfObject; gateways: Gateways; devices: GatewayDevices },
  ) {
    const { library, node, uplinks, log, policyTables } = options
    const { netlink, object, gateways, devices } = opened
    const epoch = object.map('.data.epoch')
    const bump = () => bumpEpoch(epoch)
    this.gateways = gateways
    this.uplinks = uplinks
    this.#netlink = netlink
    this.#object = object
    this.#programs = { fromPod: object.program('from_pod'), toPod: object.program('to_pod') }
    const { podCidrs } = node
    this.#routeContext = { hostIfindex: devices.host.ifindex, gateways, uplinks, podCidrs }
    this.#endpointMap = new KernelMap(object.map('endpoints'), layout.maps.endpoints)
    this.#services = openServices(object, options)
    this.endpoints = new Endpoints({
      ...{ library, netlink, gateways, bumpEpoch: bump },
      map: this.#endpointMap,
      programs: this.#programs,
    })
    this.frontends = this.#services
    const destinations = {
      map: new KernelMap(object.map('destinations'), layout.maps.destinations),
      bumpEpoch: bump,
      podCidrs,
    }
    writeLocalDestinations(destinations)
    writeUplinks(new KernelMap(object.map('uplinks'), layout.maps.uplinks), uplinks, node.addresses)
    this.masqueradeExclusions = exclusionOperations(
      new KernelMap(object.map('no_masquerade'), layout.maps.noMasquerade),
    )
    this.destinations = destinationOperations(destinations)
    this.policy = openPolicy(object, policyTables, bump)
    this.nodeRoutes = nodeRouteOperations(netlink, () => this.#routeContext)
    this.#events = new Events(library, object.map('events'))
    const pairs = object.map('flows').maxEntries / 2
    this.#collector = new FlowCollector(object.program('flow_gc'), pairs, log)
    // Programs may decide differently now: what was decided by the ones before is decided again.
    bump()
  }

  /** Before the first round: then that round changes nothing that flows. */
  #restore({ podCidrs }: Node): void {
    this.#services.restore()
    this.policy.restore()
    this.#netlink.run(...podCidrs.map((prefix) => hostRoute(prefix, this.#routeContext)))
  }

  /** What the kernel lacks of an endpoint, one sentence each. */
  async checkEndpoint(row: Endpoint): Promise<string[]> {
    const context = { netlink: this.#netlink, map: this.#endpointMap, programs: this.#programs }
    return findProblems(row, { ...context, gateways: this.gateways })
  }

  readEndpoints(): ActualEndpoint[] {
    return readEndpoints(this.#endpointMap, this.#netlink)
  }

  readNodeRoutes(): ActualRoute[] {
    const names = new Map(listLinks(this.#netlink).map(({ ifindex, name }) => [ifindex, name]))
    return readNodeRoutes(this.#netlink, this.#routeContext, (index) => names.get(index) ?? '')
  }

  /** Uplink by uplink. */
  get xdp(): readonly XdpState[] {
    return this.#xdp
  }

  /** As of the collector's last run; undefined before the first. */
  get flowCounts(): FlowCounts | undefined {
    return this.#collector.counts
  }

  /** Allowed connections are reported only while somebody wants to know. */
  reportVerdicts(wanted: boolean): void {
    writeWord(this.#object.map('.data.epoch'), 'policyReports', wanted ? 1 : 0)
  }

  /** Calls back for every drop until the answered function is called. */
  subscribeEvents(listener: (event: DatapathEvent) => void): () => void {
    return this.#events.subscribe(listener)
  }

  /** Lets go of everything held in this process. Packets notice nothing. */
  close(): void {
    this.#collector.stop()
    this.#events.close()
    this.#services.stop()
    this.policy.stop()
    this.#object.close()
    this.#netlink.close()
  }
}

const NO_ADDRESS = parseAddress('::')
/** Of any network namespace. */
const LOOPBACK_IFINDEX = 1

function programConfig(
  options: DatapathOptions,
  gateways: Gateways,
  { host, overlay: device }: GatewayDevices,
): layout.Config {
  const { library, node, uplinks, overlay, socketServices, masquerade, masqueradePorts } = options
  const [uplink] = uplinks
  if (!uplink) throw new Error('Cannot open the datapath: there is no uplink')
  const own = (family: 4 | 6): Address =>
    nodeAddressOf(family, node.addresses, uplinks) ?? NO_ADDRESS
  return {
    gateway4: gateways[4] ?? NO_ADDRESS,
    gateway6: gateways[6] ?? NO_ADDRESS,
    node4: own(4),
    node6: own(6),
    hostIfindex: host.ifindex,
    uplinkIfindex: uplink.ifindex,
    overlayIfindex: device?.ifindex ?? 0,
    overlayVni: overlay.vni,
    uplinkMtu: uplink.mtu,
    overlayPort: overlay.port,
    hostMac: host.mac,
    uplinkMac: uplink.mac,
    socketServices: socketServices ? 1 : 0,
    netnsCookie: readNetnsCookie(library),
    masquerade: masquerade ? 1 : 0,
    masqueradeFirst: masqueradePorts.first,
    masqueradeCount: masqueradePorts.last - masqueradePorts.first + 1,
  }
}

function xdpDevices(netlink: Netlink, uplinks: readonly Uplink[]): XdpDevice[] {
  const kinds = new Map(listLinks(netlink).map(({ ifindex, kind }) => [ifindex, kind]))
  return uplinks.map(({ name, ifindex }) => ({ name, ifindex, kind: kinds.get(ifindex) }))
}

/** Every hook this configuration wants; what is attached beyond them is detached. */
function hooksOf(
  { uplinks, cgroupRoot, socketServices }: DatapathOptions,
  object: BpfObject,
  { host, overlay }: GatewayDevices,
): Hook[] {
  const tcx = (program: string, direction: 'ingress' | 'egress', device: string, ifindex: number) =>
    ({ kind: 'tcx', program, direction, device, ifindex }) as const
  const sockets = socketServices ? object.programs : []
  return [
    // What the node sends itself, when no socket is translated.
    ...(socketServices ? [] : [tcx('to_uplink', 'egress', 'lo', LOOPBACK_IFINDEX)]),
    ...uplinks.flatMap(({ name, ifindex }) => [
      tcx('from_uplink', 'ingress', name, ifindex),
      tcx('to_uplink', 'egress', name, ifindex),
    ]),
    tcx('from_host', 'egress', 'weir_host', host.ifindex),
    ...(overlay ? [tcx('from_overlay', 'ingress', 'weir_vxlan', overlay.ifindex)] : []),
    ...sockets.flatMap(({ name, section }): Hook[] => {
      const [kind, attachType] = section.split('/')
      if (kind !== 'cgroup' || !attachType) return []
      return [{ kind, program: name, cgroupPath: cgroupRoot, attachType: attachType as never }]
    }),
  ]
}
