// The node of the packet fixtures: two pods, a gateway, an uplink, an overlay, three other nodes,
// and Services, the same in both families, so that one fixture gives an IPv4 and an IPv6 test.
import { writeFileSync } from 'node:fs'
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Family } from '../../src/net/address.ts'
import { type Address, addressFamily, parseAddress } from '../../src/net/address.ts'
import { type Mac, parseMac } from '../../src/net/mac.ts'
import { ip } from './own-netns.ts'

export const IFINDEX = {
  ...{ loopback: 1, podA: 11, podB: 12, host: 20, uplink: 21, overlay: 22 },
  /** A second uplink, towards `far` alone; not in the rows unless a fixture puts it there. */
  uplink2: 23,
} as const
export const VNI = 7
export const VXLAN_PORT = 8472
/** Ports at the node's address for translated sources. */
export const MASQUERADE = { first: 16384, count: 13616 } as const
export const MTU = { pod: 1450, uplink: 1500, uplink2: 1400 } as const

export const MAC = {
  podA: parseMac('02:00:00:00:0a:02'),
  podAHost: parseMac('02:00:00:00:0a:01'),
  podB: parseMac('02:00:00:00:0b:02'),
  podBHost: parseMac('02:00:00:00:0b:01'),
  host: parseMac('02:00:00:00:00:20'),
  uplink: parseMac('02:00:00:00:00:21'),
  uplink2: parseMac('02:00:00:00:00:23'),
  /** The underlay's router and the other nodes. */
  peer: parseMac('02:00:00:00:00:99'),
  broadcast: parseMac('ff:ff:ff:ff:ff:ff'),
  none: parseMac('00:00:00:00:00:00'),
} satisfies Record<string, Mac>

/** One family's addresses. */
export interface Side {
  readonly family: Family
  readonly podA: Address
  readonly podB: Address
  /** In the node's podCIDR, held by no pod. */
  readonly nobody: Address
  readonly gateway: Address
  readonly node: Address
  /** A pod on a node reached by VXLAN, and that node's gateway and underlay address. */
  readonly overlayPod: Address
  readonly overlayGateway: Address
  readonly overlayNode: Address
  /** A pod on a node that is a neighbour on the uplink, routed without VXLAN. */
  readonly neighbourPod: Address
  readonly neighbourNode: Address
  /** A pod on a node behind a router, routed without VXLAN. */
  readonly routedPod: Address
  readonly routedNode: Address
  readonly world: Address
  /** In the world too, by the second uplink, where the node has an address of its own. */
  readonly far: Address
  readonly node2: Address
  readonly service: Address
}

function side(texts: Record<Exclude<keyof Side, 'family'>, string>): Side {
  const entries = Object.entries(texts).map(([name, text]) => [name, parseAddress(text)])
  const addresses = Object.fromEntries(entries) as Omit<Side, 'family'>
  return { family: addressFamily(addresses.podA), ...addresses }
}

export const SIDES: readonly Side[] = [
  side({
    podA: '10.0.1.5',
    podB: '10.0.1.6',
    nobody: '10.0.1.99',
    gateway: '10.0.1.1',
    node: '192.168.50.1',
    overlayPod: '10.0.2.5',
    overlayGateway: '10.0.2.1',
    overlayNode: '192.168.50.2',
    neighbourPod: '10.0.3.5',
    neighbourNode: '192.168.50.3',
    routedPod: '10.0.4.5',
    routedNode: '172.16.0.4',
    world: '8.8.8.8',
    far: '9.9.9.9',
    node2: '192.168.70.1',
    service: '10.96.0.10',
  }),
  side({
    podA: 'fd00:1::5',
    podB: 'fd00:1::6',
    nobody: 'fd00:1::99',
    gateway: 'fd00:1::1',
    node: 'fd50::1',
    overlayPod: 'fd00:2::5',
    overlayGateway: 'fd00:2::1',
    // The tunnel is IPv4, whatever it carries.
    overlayNode: '192.168.50.2',
    neighbourPod: 'fd00:3::5',
    neighbourNode: 'fd50::3',
    routedPod: 'fd00:4::5',
    routedNode: 'fd51::4',
    world: '2001:db8::8',
    far: '2001:db9::9',
    node2: 'fd70::1',
    service: 'fd96::10',
  }),
]

/** Ports of the Service address; each has backends of its own. */
export const PORT = {
  /** TCP and UDP: one backend, pod B, port 8080. */
  local: 80,
  none: 81,
  /** One backend, pod A itself. */
  hairpin: 82,
  /** One backend, the pod behind VXLAN. */
  overlay: 83,
  /** One backend, the pod on the neighbour. */
  neighbour: 84,
  target: 8080,
} as const

export function testConfig(): layout.Config {
  const [v4, v6] = SIDES as [Side, Side]
  return {
    gateway4: v4.gateway,
    gateway6: v6.gateway,
    node4: v4.node,
    node6: v6.node,
    hostIfindex: IFINDEX.host,
    uplinkIfindex: IFINDEX.uplink,
    overlayIfindex: IFINDEX.overlay,
    overlayVni: VNI,
    uplinkMtu: MTU.uplink,
    overlayPort: VXLAN_PORT,
    hostMac: MAC.host,
    uplinkMac: MAC.uplink,
    socketServices: 0,
    netnsCookie: 0n,
    masquerade: 0,
    masqueradeFirst: MASQUERADE.first,
    masqueradeCount: MASQUERADE.count,
  }
}

/** The devices, in this process's network namespace, with the routes a FIB lookup asks for. */
export function createDevices(): void {
  const pair = (name: string, index: number, mac: Mac): string =>
    `link add ${name} index ${index} address ${mac} type veth peer name ${name}p`
  const names = ['poda', 'podb', 'host', 'uplink', 'uplink2']
  ip(
    [
      'link set lo up',
      pair('weirpoda', IFINDEX.podA, MAC.podAHost),
      pair('weirpodb', IFINDEX.podB, MAC.podBHost),
      pair('weirhost', IFINDEX.host, MAC.host),
      pair('weiruplink', IFINDEX.uplink, MAC.uplink),
      pair('weiruplink2', IFINDEX.uplink2, MAC.uplink2),
      `link add weirvxlan index ${IFINDEX.overlay} type vxlan external dstport ${VXLAN_PORT}`,
      ...names.flatMap((name) => [`link set weir${name} up`, `link set weir${name}p up`]),
      'link set weirvxlan up',
      'addr add 192.168.50.1/24 dev weiruplink',
      'addr add fd50::1/64 dev weiruplink nodad',
      ...['192.168.50.2', '192.168.50.3', '192.168.50.254', 'fd50::3', 'fd50::254'].map(
        (neighbour) => `neigh add ${neighbour} lladdr ${MAC.peer} dev weiruplink`,
      ),
      'route add default via 192.168.50.254',
      'route add default via fd50::254',
      'addr add 192.168.70.1/24 dev weiruplink2',
      'addr add fd70::1/64 dev weiruplink2 nodad',
      ...['192.168.70.254', 'fd70::254'].map(
        (neighbour) => `neigh add ${neighbour} lladdr ${MAC.peer} dev weiruplink2`,
      ),
      'route add 9.9.9.0/24 via 192.168.70.254',
      'route add 2001:db9::/64 via fd70::254',
    ].join('\n'),
  )
  // A FIB lookup for what is not our own answers only on a node that forwards.
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
  writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1')
}

type Rows<K, V> = readonly (readonly [K, V])[]

export interface MapRows {
  readonly endpoints: Rows<layout.EndpointKey, layout.Endpoint>
  readonly destinations: Rows<layout.DestinationKey, layout.Destination>
  readonly services: Rows<layout.ServiceKey, layout.Service>
  readonly backends: Rows<layout.BackendKey, layout.Backend>
  readonly uplinks: Rows<number, layout.Uplink>
  readonly noMasquerade: Rows<layout.DestinationKey, number>
  readonly sourceRanges: Rows<layout.SourceRangeKey, number>
}

/** What the agent would have written for this node. */
export function topologyRows(): MapRows {
  return {
    endpoints: SIDES.flatMap((s) => [
      endpointRow(s.podA, { id: 1, ifindex: IFINDEX.podA, mac: MAC.podA, hostMac: MAC.podAHost }),
      endpointRow(s.podB, { id: 2, ifindex: IFINDEX.podB, mac: MAC.podB, hostMac: MAC.podBHost }),
    ]),
    destinations: SIDES.flatMap(destinationRows),
    services: SIDES.flatMap(serviceRows),
    backends: SIDES.flatMap(backendRows),
    uplinks: [uplinkRow('uplink')],
    noMasquerade: [],
    sourceRanges: [],
  }
}

/** What the agent would have written for an uplink. */
export function uplinkRow(name: 'uplink' | 'uplink2'): readonly [number, layout.Uplink] {
  const [v4, v6] = SIDES as [Side, Side]
  const own = name === 'uplink' ? 'node' : 'node2'
  const addresses = { address4: v4[own], address6: v6[own] }
  return [IFINDEX[name], { ...addresses, mtu: MTU[name], mac: MAC[name] }]
}

function endpointRow(
  address: Address,
  endpoint: Omit<layout.Endpoint, 'mtu' | 'flags'>,
): readonly [layout.EndpointKey, layout.Endpoint] {
  return [{ address }, { ...endpoint, flags: 0, mtu: MTU.pod }]
}

/** The neighbour's IPv4 address. */
export const NEIGHBOUR_TUNNEL = parseAddress('192.168.50.3')
const NO_ADDRESS = parseAddress('::')

function destinationRows(s: Side): Rows<layout.DestinationKey, layout.Destination> {
  const { OVERLAY, NODE, ON_LINK, LOCAL } = layout.DestinationFlags
  const cidr = s.family === 4 ? 120 : 112
  const row = (
    address: Address,
    node: Address,
    flags: number,
    prefixLength = cidr,
  ): readonly [layout.DestinationKey, layout.Destination] => {
    const base =
      prefixLength === 128
        ? address
        : parseAddress(address.replace(/5$/, s.family === 4 ? '0' : ''))
    return [
      { prefixLength, address: base },
      { node, flags, tunnel: node === s.neighbourNode ? NEIGHBOUR_TUNNEL : NO_ADDRESS },
    ]
  }
  return [
    row(s.podA, s.node, LOCAL),
    row(s.overlayPod, s.overlayNode, OVERLAY),
    row(s.overlayGateway, s.overlayNode, OVERLAY | NODE, 128),
    row(s.overlayNode, s.overlayNode, OVERLAY | NODE, 128),
    row(s.neighbourPod, s.neighbourNode, ON_LINK),
    row(s.neighbourNode, s.neighbourNode, NODE | ON_LINK, 128),
    row(s.routedPod, s.routedNode, 0),
  ]
}

const BACKENDS = [
  { port: PORT.local, id: 1, backend: 'podB' },
  { port: PORT.none, id: 2, backend: undefined },
  { port: PORT.hairpin, id: 3, backend: 'podA' },
  { port: PORT.overlay, id: 4, backend: 'overlayPod' },
  { port: PORT.neighbour, id: 5, backend: 'neighbourPod' },
] as const

/** Number of a frontend of the Service, as flows name it; TCP and UDP differ. */
export function serviceId(s: Side, port: number, protocol: number): number {
  const place = BACKENDS.find((b) => b.port === port)?.id ?? 0
  return s.family * 1000 + protocol * 10 + place
}

/** A frontend whose one set has its own number. */
export function serviceValue(id: number, count: number): layout.Service {
  const set = { id: count ? id : 0, count }
  return { id, internal: set, external: set, affinitySeconds: 0, flags: 0 }
}

function serviceRows(s: Side): Rows<layout.ServiceKey, layout.Service> {
  return [6, 17].flatMap((protocol) =>
    BACKENDS.map(({ port, backend }) => {
      const id = serviceId(s, port, protocol)
      const count = backend ? 1 : 0
      const key = { address: s.service, port, protocol }
      return [key, serviceValue(id, count)] as const
    }),
  )
}

function backendRows(s: Side): Rows<layout.BackendKey, layout.Backend> {
  return [6, 17].flatMap((protocol) =>
    BACKENDS.flatMap(({ port, backend }) => {
      if (!backend) return []
      const key = { setId: serviceId(s, port, protocol), slot: 0 }
      return [[key, { address: s[backend], port: PORT.target, hits: 0n }] as const]
    }),
  )
}
