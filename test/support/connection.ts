// A connection between pods of the test node, as steps and as the flow entries it must leave.
import * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import type { Body, Packet } from '../../src/net/packet.ts'
import { type ExpectedFlow, reverse, type Step } from './fixture.ts'
import { frame, tcp, WAY } from './frames.ts'
import { IFINDEX, MAC, MTU, type Side } from './topology.ts'

export const PODS = {
  podA: {
    ifindex: IFINDEX.podA,
    mac: MAC.podA,
    hostMac: MAC.podAHost,
    out: WAY.outOfA,
    into: WAY.intoA,
  },
  podB: {
    ifindex: IFINDEX.podB,
    mac: MAC.podB,
    hostMac: MAC.podBHost,
    out: WAY.outOfB,
    into: WAY.intoB,
  },
} as const
export type PodName = keyof typeof PODS

/** What a router leaves of a TTL of 64. */
export const ROUTED: Partial<Packet> = { ttl: 63 }

/** A pod's packet to any address, before it is known what becomes of it. */
export function sent(
  s: Side,
  from: PodName,
  to: Address,
  body: Body,
  more: Partial<Packet> = {},
): Pick<Step, 'program' | 'on' | 'frame'> {
  const { ifindex, out } = PODS[from]
  return { program: 'from_pod', on: ifindex, frame: frame(out, s[from], to, body, more) }
}

/** A pod's packet that another pod of the node must get as it is, but for the TTL. */
export function delivered(s: Side, from: PodName, to: PodName, body: Body): Step {
  const out = frame(PODS[to].into, s[from], s[to], body, ROUTED)
  return { ...sent(s, from, s[to], body), action: 'REDIRECT', out }
}

/** The three packets after which the pair is established. */
export function handshake(s: Side): Step[] {
  return [
    delivered(s, 'podA', 'podB', tcp(1000, 8080, 'S')),
    delivered(s, 'podB', 'podA', tcp(8080, 1000, 'SA')),
    delivered(s, 'podA', 'podB', tcp(1000, 8080, 'A')),
  ]
}

export function tuple(
  source: Address,
  sourcePort: number,
  destination: Address,
  destinationPort: number,
  protocol = 6,
): layout.Tuple {
  return { source, destination, sourcePort, destinationPort, protocol }
}

/** The flow entry of packets into a pod. */
export function intoPod(name: PodName, from: number): Partial<layout.Flow> {
  const { ifindex, mac, hostMac } = PODS[name]
  const macs = { destinationMac: mac, sourceMac: hostMac }
  const next = layout.FlowNext.ENDPOINT
  return { next, fromIfindex: from, toIfindex: ifindex, mtu: MTU.pod, ...macs }
}

/** Both halves of pod A's untranslated connection to pod B. */
export function pairAToB(
  s: Side,
  flags: number = layout.FlowFlags.SEEN_REPLY,
  key: layout.Tuple = tuple(s.podA, 1000, s.podB, 8080),
): [ExpectedFlow, ExpectedFlow] {
  const back = reverse(key)
  const forward = intoPod('podB', IFINDEX.podA)
  const reply = intoPod('podA', IFINDEX.podB)
  return [
    { key, out: key, epoch: 1, serviceId: 0, flags, ...forward },
    { key: back, out: back, epoch: 1, flags: flags | layout.FlowFlags.REVERSE, ...reply },
  ]
}

export interface IcmpAnswer {
  /** Type and code, IPv4 then IPv6. */
  readonly v4: readonly [number, number]
  readonly v6: readonly [number, number]
  readonly mtu?: number
  /** The address that was asked complains, and not the gateway. */
  readonly byDestination?: boolean
}

export const UNREACHABLE = {
  port: { v4: [3, 3], v6: [1, 4], byDestination: true },
  address: { v4: [3, 1], v6: [1, 3] },
  route: { v4: [3, 0], v6: [1, 0] },
} satisfies Record<string, IcmpAnswer>

/** Says that the way out takes packets of at most `mtu` bytes. */
export function tooBig(mtu: number): IcmpAnswer {
  return { v4: [3, 4], v6: [2, 0], mtu }
}

/**
 * A pod's packet that is refused with a complaint, which quotes the IP header and the start of the
 * transport header.
 */
export function complained(
  s: Side,
  from: PodName,
  to: Address,
  body: Body,
  about: IcmpAnswer,
): Step {
  const packet = sent(s, from, to, body)
  const answer = complaint(s, packet.frame, about)
  const source = about.byDestination ? to : s.gateway
  const out = frame(PODS[from].into, source, s[from], answer, { dontFragment: true })
  return { ...packet, action: 'REDIRECT', out }
}

/** The ICMP error about a frame, which quotes its headers. */
export function complaint(s: Side, about: Uint8Array, { v4, v6, mtu = 0 }: IcmpAnswer): Body {
  const [type, code] = s.family === 4 ? v4 : v6
  const isTcp = about[s.family === 4 ? 23 : 20] === 6
  const payload = about.slice(14, 14 + (s.family === 4 ? 20 : 40) + (isTcp ? 20 : 8))
  return { kind: 'icmp', type, code, rest: mtu, payload }
}

/** What a frontend says to a packet that gets no backend: RST to a SYN, else port unreachable. */
export function refusal(s: Side, asked: Uint8Array, body: Body): Body {
  if (body.kind !== 'tcp') return complaint(s, asked, UNREACHABLE.port)
  const ports = { sourcePort: body.destinationPort, destinationPort: body.sourcePort }
  return { kind: 'tcp', ...ports, flags: 'RA', seq: 0, ack: (body.seq ?? 0) + 1, window: 0 }
}
