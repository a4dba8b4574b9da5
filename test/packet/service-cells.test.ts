// The masquerade table: every client, every place of a backend, by an address that no node holds
// (ClusterIP, load balancer's, external: the programs know no difference) and by a NodePort; TCP
// and UDP; by tc alone, and with XDP before it. A client keeps its address wherever the answer
// comes back through here by itself; else it becomes this node.
import type { Address } from '../../src/net/address.ts'
import type { Body } from '../../src/net/packet.ts'
import { PODS } from '../support/connection.ts'
import { BOTH_HOOKS, type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import {
  answers,
  asks,
  type Client,
  clientAddress,
  comesBack,
  type Place,
  reaches,
} from '../support/service-cells.ts'
import {
  createDevices,
  IFINDEX,
  type MapRows,
  PORT,
  type Side,
  serviceValue,
  topologyRows,
} from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const CLIENT_PORT = 1000
const NODE_PORT = 30080
/** The only one of the range, so that a fixture knows it. */
const OWN_PORT = 20000

const ELSEWHERE: readonly Place[] = ['neighbourPod', 'neighbourNode', 'routedPod', 'overlayPod']
const PLACES: readonly Place[] = ['podB', ...ELSEWHERE, 'node']

const CLIENTS: readonly Client[] = ['podA', 'outside', 'node', 'neighbourPod', 'overlayPod']

/**
 * Where the client shows this node's address, with a port of the range: its answer would go another
 * way, or not be told from answers to what the node itself asks there.
 */
const BECOMES_NODE: Readonly<Record<Client, readonly Place[]>> = {
  podA: [],
  node: [...ELSEWHERE, 'node'],
  outside: ELSEWHERE,
  neighbourPod: ELSEWHERE,
  overlayPod: ELSEWHERE,
}

type Transport = (from: number, to: number, flags: string) => Body
const TRANSPORTS: Readonly<Record<string, Transport>> = {
  TCP: (from, to, flags) => tcp(from, to, flags),
  UDP: (from, to) => udp(from, to),
}

interface Front {
  readonly name: string
  readonly address: (s: Side) => Address
  readonly port: number
}

const FRONTS: readonly Front[] = [
  {
    name: 'a virtual address',
    address: (s) => s.service,
    port: 8888,
  },
  {
    name: 'a NodePort',
    address: (s) => s.node,
    port: NODE_PORT,
  },
]

/** The set that the client must not get is empty. */
function rows(s: Side, front: Front, client: Client, place: Place): Partial<MapRows> {
  const { services, backends } = topologyRows()
  const [full, empty] = [serviceValue(99, 1).internal, { id: 0, count: 0 }]
  const isInside = client === 'podA' || client === 'node'
  const value = {
    ...serviceValue(99, 1),
    internal: isInside ? full : empty,
    external: isInside ? empty : full,
  }
  const key = { address: front.address(s), port: front.port }
  const backend = { address: s[place], port: PORT.target, hits: 0n }
  return {
    services: [...services, ...[6, 17].map((protocol) => [{ ...key, protocol }, value] as const)],
    backends: [...backends, [{ setId: 99, slot: 0 }, backend]],
  }
}

/** The client's packet to the backend; to a pod of this node the node's own goes by to_pod. */
function there(s: Side, front: Front, client: Client, place: Place, flags: string): Step[] {
  const isNode = BECOMES_NODE[client].includes(place)
  const transport = TRANSPORTS[flags === '' ? 'UDP' : 'TCP'] as Transport
  const source = isNode ? s.node : clientAddress(s, client)
  const sourcePort = isNode ? OWN_PORT : CLIENT_PORT
  const first = transport(CLIENT_PORT, front.port, flags)
  const last = transport(sourcePort, PORT.target, flags)
  const met = asks(s, client, front.address(s), first)
  const seen = reaches(s, client, place, source, last)
  if (client !== 'node' || place !== 'podB') return [{ ...met, ...seen }]
  const between = frame(PODS.podB.into, s.node, front.address(s), first)
  return [
    { ...met, action: 'REDIRECT', out: between },
    {
      ...{ program: 'to_pod', on: IFINDEX.podB, frame: between },
      action: 'PASS',
      out: frame(PODS.podB.into, s.node, s.podB, last),
    },
  ]
}

function back(s: Side, front: Front, client: Client, place: Place, flags: string): Step {
  const isNode = BECOMES_NODE[client].includes(place)
  const transport = TRANSPORTS[flags === '' ? 'UDP' : 'TCP'] as Transport
  const to = isNode ? s.node : clientAddress(s, client)
  const toPort = isNode ? OWN_PORT : CLIENT_PORT
  return {
    ...answers(s, client, place, to, transport(PORT.target, toPort, flags)),
    ...comesBack(s, client, place, front.address(s), transport(front.port, CLIENT_PORT, flags)),
  }
}

function cell(front: Front, client: Client, place: Place): Fixture[] {
  const isNode = BECOMES_NODE[client].includes(place)
  const name = `${client} by ${front.name} to ${place}: ${isNode ? 'as this node' : 'as itself'}`
  const shared = { rows: (s: Side) => rows(s, front, client, place) }
  return [
    {
      ...shared,
      name: `TCP, ${name}`,
      steps: (s) => [
        ...there(s, front, client, place, 'S'),
        back(s, front, client, place, 'SA'),
        ...there(s, front, client, place, 'A'),
        back(s, front, client, place, 'PA'),
        ...there(s, front, client, place, 'PA'),
      ],
      embryos: () => [],
    },
    {
      ...shared,
      name: `UDP, ${name}`,
      steps: (s) => [
        ...there(s, front, client, place, ''),
        back(s, front, client, place, ''),
        ...there(s, front, client, place, ''),
      ],
      embryos: () => [],
    },
  ]
}

/** A pod of another node that gets itself is that pod's cell with itself. */
const CELLS = FRONTS.flatMap((front) =>
  CLIENTS.flatMap((client) => PLACES.flatMap((place) => cell(front, client, place))),
)

const world = new World({ config: { masqueradeFirst: OWN_PORT, masqueradeCount: 1 } })
runFixtures(world, CELLS, BOTH_HOOKS)
