// ARP and neighbour discovery: the host end of the veth answers for every address but the pod's
// own, so that duplicate address detection finds no duplicate.
import { type Address, parseAddress } from '../../src/net/address.ts'
import { type Arp, buildArp } from '../../src/net/ethernet.ts'
import { type Mac, parseMac } from '../../src/net/mac.ts'
import { type Body, neighbourMessage } from '../../src/net/packet.ts'
import { PODS } from '../support/connection.ts'
import { type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, MAC, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const UNSPECIFIED = { 4: parseAddress('0.0.0.0'), 6: parseAddress('::') } as const
const LINK_LOCAL = parseAddress('fe80::5')
const NS = 135
const NA = 136
const ROUTER_SOLICITED_OVERRIDE = 0xe0

function arp(fields: Pick<Arp, 'sender' | 'target'> & Partial<Arp>): Step {
  const bytes = buildArp({
    sourceMac: MAC.podA,
    destinationMac: MAC.broadcast,
    operation: 'request',
    senderMac: MAC.podA,
    targetMac: MAC.none,
    ...fields,
  })
  return { program: 'from_pod', on: IFINDEX.podA, frame: bytes, action: 'PASS' }
}

/** The request, and the answer that the pod gets. */
function arpAnswered(s: Side, target: Address): Step {
  const out = buildArp({
    sourceMac: MAC.podAHost,
    destinationMac: MAC.podA,
    operation: 'reply',
    senderMac: MAC.podAHost,
    sender: target,
    targetMac: MAC.podA,
    target: s.podA,
  })
  return { ...arp({ sender: s.podA, target }), action: 'REDIRECT', out }
}

const ARP: readonly Fixture[] = [
  {
    name: 'ARP for the gateway, a neighbour or anybody is answered by the host end',
    families: [4],
    steps: (s) => [s.gateway, s.podB, s.world].map((target) => arpAnswered(s, target)),
  },
  {
    name: 'ARP for the pod’s own address is left alone',
    families: [4],
    steps: (s) => [
      arp({ sender: s.podA, target: s.podA }),
      arp({ sender: UNSPECIFIED[4], target: s.podA }),
      arp({ sender: UNSPECIFIED[4], target: s.gateway }),
    ],
  },
  {
    name: 'ARP in the name of another pod is not answered',
    families: [4],
    steps: (s) => [arp({ sender: s.podB, target: s.gateway })],
  },
  {
    name: 'an ARP reply is left alone',
    families: [4],
    steps: (s) => [arp({ sender: s.podA, target: s.gateway, operation: 'reply' })],
  },
]

/** The multicast group and MAC of whoever has the address (RFC 4291 2.7.1, RFC 2464 7). */
function solicited(target: Address): { group: Address; mac: Mac } {
  const low = (target.split('::')[1] ?? '').padStart(4, '0')
  return {
    group: parseAddress(`ff02::1:ff00:${low}`),
    mac: parseMac(`33:33:ff:00:${low.slice(0, 2)}:${low.slice(2)}`),
  }
}

function ndp(from: Address, to: Address, destinationMac: Mac, body: Body): Step {
  const macs = { sourceMac: MAC.podA, destinationMac }
  const bytes = frame(macs, from, to, body, { ttl: 255 })
  return { program: 'from_pod', on: IFINDEX.podA, frame: bytes, action: 'PASS' }
}

function solicit(from: Address, target: Address, mac: Mac | undefined = MAC.podA): Step {
  const { group, mac: groupMac } = solicited(target)
  return ndp(from, group, groupMac, neighbourMessage({ type: NS, target, ...(mac ? { mac } : {}) }))
}

function advertisement(to: Address, target: Address): Uint8Array {
  const flags = ROUTER_SOLICITED_OVERRIDE
  const body = neighbourMessage({ type: NA, target, mac: MAC.podAHost, flags })
  return frame(PODS.podA.into, target, to, body, { ttl: 255 })
}

const NDP: readonly Fixture[] = [
  {
    name: 'solicitations for the gateway or anybody are answered by the host end',
    families: [6],
    steps: (s) =>
      [s.gateway, s.podB, s.overlayPod].map((target) => ({
        ...solicit(s.podA, target),
        action: 'REDIRECT',
        out: advertisement(s.podA, target),
      })),
  },
  {
    name: 'a probe of the known neighbour is answered, to the link-local address too',
    families: [6],
    steps: (s) =>
      [s.podA, LINK_LOCAL].map((from) => ({
        ...ndp(from, s.gateway, MAC.podAHost, neighbourMessage({ type: NS, target: s.gateway })),
        action: 'REDIRECT',
        out: advertisement(from, s.gateway),
      })),
  },
  {
    name: 'duplicate address detection is left alone',
    families: [6],
    steps: (s) => [
      ndp(
        UNSPECIFIED[6],
        solicited(s.podA).group,
        solicited(s.podA).mac,
        neighbourMessage({ type: NS, target: s.podA }),
      ),
    ],
  },
  {
    name: 'a solicitation for the pod’s own address is left alone',
    families: [6],
    steps: (s) => [solicit(s.podA, s.podA)],
  },
  {
    name: 'a solicitation in the name of another pod is refused',
    families: [6],
    steps: (s) => [{ ...solicit(s.podB, s.gateway), action: 'SHOT' }],
    drops: { SPOOFED_SOURCE: 1 },
  },
  {
    name: 'router solicitations, advertisements and MLD reports pass untouched',
    families: [6],
    steps: () => {
      const routers = parseAddress('ff02::2')
      const routersMac = parseMac('33:33:00:00:00:02')
      const message = (type: number, length: number): Body => {
        const payload = Uint8Array.from({ length }, (_, index) => index)
        return { kind: 'icmp', type, code: 0, payload }
      }
      return [
        ndp(LINK_LOCAL, routers, routersMac, message(133, 0)),
        ndp(LINK_LOCAL, routers, routersMac, message(133, 8)),
        ndp(LINK_LOCAL, routers, routersMac, message(143, 60)),
        ndp(LINK_LOCAL, routers, routersMac, message(136, 40)),
        ndp(UNSPECIFIED[6], routers, routersMac, message(133, 0)),
      ]
    },
  },
]

runFixtures(new World(), [...ARP, ...NDP])
