// Who gets no backend, and what he hears: every client, by an address that no node holds and by a
// NodePort, TCP and UDP, by tc alone and with XDP before it. Where there is no endpoint at all he
// is refused at once in the frontend's name; policy Local and source ranges are silent.
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import type { Body } from '../../src/net/packet.ts'
import { PODS, refusal } from '../support/connection.ts'
import { BOTH_HOOKS, type DropCounts, type Fixture, runFixtures } from '../support/fixture.ts'
import { frame, tcp, udp } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { asks, type Client, clientAddress } from '../support/service-cells.ts'
import { createDevices, MAC, type MapRows, type Side, serviceValue } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { SOURCE_RANGES, DROP_EMPTY, DROP_EMPTY_EXTERNAL } = layout.ServiceFlags
const CLIENT_PORT = 1000
const FRONT_PORT = 30080

const CLIENTS: readonly Client[] = ['podA', 'outside', 'node', 'neighbourPod', 'overlayPod']
const FRONTS: Readonly<Record<string, (s: Side) => Address>> = {
  'a virtual address': (s) => s.service,
  'a NodePort': (s) => s.node,
}
const isInside = (client: Client): boolean => client === 'podA' || client === 'node'

interface Cause {
  readonly name: string
  readonly flags: (client: Client) => number
  /** Absent: refused. */
  readonly drops?: DropCounts
}

const CAUSES: readonly Cause[] = [
  { name: 'refused: there is no endpoint', flags: () => 0 },
  {
    name: 'silence: policy Local and no endpoint here',
    flags: (client) => (isInside(client) ? DROP_EMPTY : DROP_EMPTY_EXTERNAL),
    drops: { NO_LOCAL_BACKEND: 1 },
  },
  {
    name: 'refused: policy Local is that of others',
    flags: (client) => (isInside(client) ? DROP_EMPTY_EXTERNAL : DROP_EMPTY),
  },
  {
    name: 'silence: the source ranges hold somebody else',
    flags: () => SOURCE_RANGES,
    drops: { SOURCE_RANGE: 1 },
  },
]

function rows(address: Address, flags: number): Partial<MapRows> {
  const value = { ...serviceValue(99, 0), flags }
  return {
    services: [6, 17].map((protocol) => [{ address, port: FRONT_PORT, protocol }, value] as const),
  }
}

/** Ethernet addresses of the answer: it goes back where the question came from. */
function backTo(client: Client) {
  if (client === 'podA') return PODS.podA.into
  // Into the node by weir_host, which takes what is from its own address.
  return { sourceMac: MAC.uplink, destinationMac: client === 'node' ? MAC.host : MAC.peer }
}

function cell(front: string, client: Client, cause: Cause, body: Body): Fixture {
  const address = FRONTS[front] as (s: Side) => Address
  // Behind VXLAN the answer is its device's, whose hook meets the packet without the wrapping.
  const isAnswered = !cause.drops && client !== 'overlayPod'
  return {
    name: `${body.kind.toUpperCase()}, ${client} by ${front}, ${cause.name}`,
    rows: (s) => rows(address(s), cause.flags(client)),
    steps: (s) => {
      const met = asks(s, client, address(s), body)
      if (cause.drops) return [{ ...met, action: 'SHOT' }]
      if (!isAnswered) return [{ ...met, action: 'PASS' }]
      const [from, to] = [address(s), clientAddress(s, client)]
      const answer = refusal(s, met.frame, body)
      const out = frame(backTo(client), from, to, answer, { dontFragment: true })
      return [{ ...met, action: 'REDIRECT', out }]
    },
    drops: cause.drops ?? (isAnswered ? { NO_BACKEND: 1 } : {}),
    flows: () => [],
    embryos: () => [],
  }
}

/** No source range is in the node's way. */
const CELLS = Object.keys(FRONTS).flatMap((front) =>
  CLIENTS.flatMap((client) =>
    CAUSES.filter(({ drops }) => client !== 'node' || !drops?.SOURCE_RANGE).flatMap((cause) =>
      [tcp(CLIENT_PORT, FRONT_PORT, 'S'), udp(CLIENT_PORT, FRONT_PORT)].map((body) =>
        cell(front, client, cause, body),
      ),
    ),
  ),
)

runFixtures(new World(), CELLS, BOTH_HOOKS)
