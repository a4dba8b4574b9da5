// The packets that programs are measured with, and the maps behind them: two pods, a node behind
// VXLAN, a Service, IPv4 and IPv6.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { KernelMap } from '../datapath/entry-map.ts'
import * as layout from '../datapath/layout.gen.ts'
import type { BpfObject } from '../libbpf/object.ts'
import { type Address, addressFamily, parseAddress } from '../net/address.ts'
import { vxlan } from '../net/ethernet.ts'
import { parseMac } from '../net/mac.ts'
import { type Body, buildFrame } from '../net/packet.ts'

/** A program and a frame for it. */
export interface ProgramCase {
  readonly name: string
  readonly program: string
  readonly frame: Uint8Array
  /** Makes the maps as they must be before each run. */
  readonly prepare?: () => void
  /** Runs in a row on one frame, where a run leaves it such that the next goes the same way. */
  readonly repeat?: number
}

/** Where XDP's frames arrive, made by makeUplink(). */
export const UPLINK = 3

/** Each run takes one hop of a packet between pods, and changes nothing else: 255 would do. */
const REPEAT = 200

/** BPF_PROG_TEST_RUN without a device runs on loopback, so that is where the pods are. */
const LOOPBACK = 1
const VNI = 1
const NODE_PORT = 30_080
const VXLAN_PORT = 8472
const NODE = parseAddress('192.0.2.1')
const NODE6 = parseAddress('fd00:ff::1')
const OTHER_NODE = parseAddress('192.0.2.2')
const HOST_MAC = parseMac('02:00:00:00:00:01')
const POD_MAC = parseMac('02:00:00:00:00:02')
const OTHER_POD_MAC = parseMac('02:00:00:00:00:03')

interface Side {
  readonly podA: Address
  readonly podB: Address
  readonly remote: Address
  readonly service: Address
  readonly gateway: Address
  readonly client: Address
  readonly node: Address
}

function side(prefix: string, separator: string): Side {
  const address = (text: string): Address => parseAddress(`${prefix}${text}`)
  return {
    podA: address(`1${separator}5`),
    podB: address(`1${separator}6`),
    remote: address(`2${separator}5`),
    service: address(`9${separator}1`),
    gateway: address(`1${separator}1`),
    client: address(`8${separator}8`),
    node: separator === '.' ? NODE : NODE6,
  }
}

const SIDES = [side('10.0.', '.'), side('fd00:', '::')] as const

export function sceneConfig(): layout.Config {
  const [v4, v6] = SIDES
  return {
    gateway4: v4.gateway,
    gateway6: v6.gateway,
    node4: NODE,
    node6: NODE6,
    hostIfindex: 2,
    uplinkIfindex: UPLINK,
    overlayIfindex: 4,
    overlayVni: VNI,
    uplinkMtu: 1500,
    overlayPort: VXLAN_PORT,
    hostMac: HOST_MAC,
    uplinkMac: HOST_MAC,
    socketServices: 0,
    netnsCookie: 0n,
    masquerade: 0,
    masqueradeFirst: 16384,
    masqueradeCount: 13616,
  }
}

/** The uplink and the other node's MAC, for XDP looks its way up before it sends. */
export function makeUplink(): void {
  const input = [
    `link add weirbench index ${UPLINK} type veth peer name weirbench2`,
    'link set weirbench up',
    'link set weirbench2 up',
    `addr add ${NODE}/24 dev weirbench`,
    `neigh add ${OTHER_NODE} lladdr ${POD_MAC} dev weirbench`,
  ].join('\n')
  execFileSync('ip', ['-batch', '-'], { input })
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
}

/** Writes what the agent would have written, under epoch 0. */
export function fillScene(object: BpfObject): void {
  const { maps, DestinationFlags } = layout
  const endpoint = { id: 1, flags: 0, hostMac: HOST_MAC, mtu: 1450 }
  const endpoints = SIDES.flatMap(({ podA, podB }) => [
    [{ address: podA }, { ...endpoint, ifindex: LOOPBACK, mac: POD_MAC }] as const,
    [{ address: podB }, { ...endpoint, ifindex: LOOPBACK, mac: OTHER_POD_MAC }] as const,
  ])
  const flags = DestinationFlags.OVERLAY | DestinationFlags.ON_LINK
  const node = { node: OTHER_NODE, tunnel: parseAddress('::'), flags }
  const remotes = [...SIDES.map(({ remote }) => remote), OTHER_NODE]
  const destinations = remotes.map((address) => [{ prefixLength: 128, address }, node] as const)
  const services = SIDES.map(({ service }, index) => {
    const key = { address: service, port: 80, protocol: 6 }
    const set = { id: index + 1, count: 1 }
    const more = { affinitySeconds: 0, flags: 0 }
    return [key, { id: index + 1, internal: set, external: set, ...more }] as const
  })
  const backends = SIDES.map(
    ({ podB }, index) =>
      [
        { setId: index + 1, slot: 0 },
        { address: podB, port: 8080, hits: 0n },
      ] as const,
  )
  write(object, maps.endpoints, endpoints)
  write(object, maps.destinations, destinations)
  write(object, maps.services, services)
  write(object, maps.backends, backends)
}

function write<K, V>(
  object: BpfObject,
  map: ConstructorParameters<typeof KernelMap<K, V>>[1],
  rows: readonly (readonly [K, V])[],
): void {
  const [failure] = new KernelMap(object.map(map.name), map).updateMany(rows).values()
  if (failure) throw failure
}

/** The cases, with their established flows already made by packets of their own. */
export function programCases(object: BpfObject): ProgramCase[] {
  const cases = SIDES.flatMap((s) => casesOf(object, s))
  const flows = [...object.map(layout.maps.flows.name).entries()].length
  if (flows !== SIDES.length * 5) throw new Error(`Cannot measure programs: ${flows} flows`)
  return cases
}

function casesOf(object: BpfObject, s: Side): ProgramCase[] {
  const embryos = new KernelMap(object.map(layout.maps.embryos.name), layout.maps.embryos)
  const family = `ipv${addressFamily(s.podA)}`
  const near = segment(s.podA, 1000, s.podB, 8080)
  const away = segment(s.podA, 2000, s.remote, 8080)
  const back = wrapped(segment(s.remote, 8080, s.podA, 2000))
  establish(object, [
    ['from_pod', near],
    ['from_pod', segment(s.podB, 8080, s.podA, 1000)],
    ['from_pod', near],
    ['from_pod', away],
    ['from_uplink', back],
    ['from_pod', away],
  ])
  const asked = segment(s.client, 4000, s.node, NODE_PORT)
  const established = new KernelMap(object.map(layout.maps.flows.name), layout.maps.flows)
  const expose = () => established.updateMany([exposed(s)])
  expose()
  const key = connection(s.podA, 3000, s.service, 80)
  const other = connection(s.podB, 8080, s.podA, 3000)
  return [
    { name: `established-${family}`, program: 'from_pod', frame: near, repeat: REPEAT },
    { name: `overlay-${family}`, program: 'from_pod', frame: away },
    { name: `overlay-${family}`, program: 'from_uplink', frame: back },
    // Not in the second of 32 when XDP leaves a quiet flow's packet to the stack.
    { name: `node-port-${family}`, program: 'from_uplink', frame: asked, prepare: expose },
    { name: `node-port-${family}`, program: 'xdp_uplink', frame: asked, prepare: expose },
    {
      name: `service-new-${family}`,
      program: 'from_pod',
      frame: segment(s.podA, 3000, s.service, 80),
      prepare: () => embryos.deleteMany([key, other]),
    },
  ]
}

/** An established connection from outside to a backend behind VXLAN, used this very second. */
function exposed(s: Side): readonly [layout.Tuple, layout.Flow] {
  const key = connection(s.client, 4000, s.node, NODE_PORT)
  const out = connection(s.node, 20_000, s.remote, 8080)
  const { TRANSLATED, SERVICE, SNAT, ON_LINK } = layout.FlowFlags
  const flow: layout.Flow = {
    ...{ out, node: OTHER_NODE, epoch: 0, fromIfindex: 0, toIfindex: 4, serviceId: 1 },
    ...{ lastSeen: process.hrtime()[0], flags: TRANSLATED | SERVICE | SNAT | ON_LINK },
    ...{ next: layout.FlowNext.OVERLAY, destinationMac: POD_MAC, sourceMac: POD_MAC, mtu: 1450 },
    ...{ egressRule: 0, ingressRule: 0, packets: 0n, bytes: 0n },
  }
  return [key, flow]
}

function establish(object: BpfObject, packets: readonly (readonly [string, Uint8Array])[]): void {
  for (const [name, data] of packets) {
    using program = object.program(name)
    program.testRun({ data })
  }
}

function connection(
  source: Address,
  sourcePort: number,
  destination: Address,
  destinationPort: number,
): layout.Tuple {
  return { source, destination, sourcePort, destinationPort, protocol: 6 }
}

/** A TCP segment with one byte, as in request and response. */
function segment(
  source: Address,
  sourcePort: number,
  destination: Address,
  destinationPort: number,
): Uint8Array {
  const payload = Uint8Array.of(1)
  const body: Body = { kind: 'tcp', sourcePort, destinationPort, flags: 'PA', payload }
  const macs = { sourceMac: POD_MAC, destinationMac: HOST_MAC }
  return buildFrame({ ...macs, source, destination, body, ttl: 255 })
}

function wrapped(inner: Uint8Array): Uint8Array {
  const payload = vxlan(VNI, inner)
  const body: Body = {
    kind: 'udp',
    sourcePort: 40_000,
    destinationPort: VXLAN_PORT,
    payload,
    noChecksum: true,
  }
  const macs = { sourceMac: POD_MAC, destinationMac: HOST_MAC }
  return buildFrame({ ...macs, source: OTHER_NODE, destination: NODE, body })
}
