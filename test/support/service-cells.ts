// Every way through a Service: who asks, where the backend is, and what each must see. The packets
// as data, so that any program that meets them can be held to the same table.
import type { Address } from '../../src/net/address.ts'
import type { Body } from '../../src/net/packet.ts'
import { PODS, ROUTED, sent } from './connection.ts'
import type { Step } from './fixture.ts'
import { frame, WAY } from './frames.ts'
import { IFINDEX, MAC, type Side } from './topology.ts'
import { arriving, BY_HOST, wrapped } from './tunnel.ts'

type Met = Pick<Step, 'program' | 'on' | 'frame'>
type Seen = Pick<Step, 'action' | 'out' | 'sentByXdp'>

/** outside: beyond the cluster. node: this node's own stack. overlayPod: behind VXLAN. */
export type Client = 'podA' | 'outside' | 'node' | 'neighbourPod' | 'overlayPod'
export type Place = 'podB' | 'neighbourPod' | 'neighbourNode' | 'routedPod' | 'overlayPod' | 'node'

/** What comes by the uplink only to leave by it: XDP's own. */
const isXdps = (client: Client, place: Place): boolean =>
  !['podA', 'node'].includes(client) && !['podB', 'node'].includes(place)

const OUT_OF_NODE = { sourceMac: MAC.uplink, destinationMac: MAC.peer }
const TO_HOST = { sourceMac: MAC.uplink, destinationMac: MAC.host }
const OUT_OF_HOST = { sourceMac: MAC.host, destinationMac: MAC.host }

export function clientAddress(s: Side, client: Client): Address {
  return client === 'outside' ? s.world : s[client]
}

/** The client's packet to the frontend, where it is met first. */
export function asks(s: Side, client: Client, to: Address, body: Body): Met {
  switch (client) {
    case 'podA':
      return sent(s, 'podA', to, body)
    case 'outside':
    case 'neighbourPod':
      return byUplink(frame(WAY.fromPeer, clientAddress(s, client), to, body))
    case 'node':
      return leavingNode(s, to, body)
    case 'overlayPod':
      return arriving(s.overlayPod, to, body, { ttl: 64 })
  }
}

/** What goes to the backend. */
export function reaches(s: Side, client: Client, place: Place, source: Address, body: Body): Seen {
  const hop = client === 'node' ? {} : ROUTED
  // tc leaves the Ethernet addresses to the kernel; VXLAN is taken off behind the outer ones.
  const macs = { podA: WAY.outOfA, node: OUT_OF_NODE }[client as string] ?? WAY.fromPeer
  const sentByXdp = isXdps(client, place)
  switch (place) {
    case 'podB':
      return { action: 'REDIRECT', out: frame(PODS.podB.into, source, s.podB, body, hop) }
    case 'neighbourPod':
    case 'neighbourNode':
    case 'routedPod':
      return { action: 'REDIRECT', out: frame(macs, source, s[place], body, hop), sentByXdp }
    case 'overlayPod': {
      const inner = frame(BY_HOST, source, s.overlayPod, body, hop)
      return { action: 'REDIRECT', out: wrapped(s, inner), sentByXdp }
    }
    case 'node':
      if (client === 'overlayPod' || client === 'node') {
        return { action: 'REDIRECT', out: frame(TO_HOST, source, s.node, body) }
      }
      return { action: 'PASS', out: frame(macs, source, s.node, body) }
  }
}

/** The backend's answer, where it is met first. */
export function answers(s: Side, client: Client, place: Place, to: Address, body: Body): Met {
  switch (place) {
    case 'podB':
      return sent(s, 'podB', to, body)
    case 'neighbourPod':
    case 'neighbourNode':
    case 'routedPod':
      return byUplink(frame(WAY.fromPeer, s[place], to, body))
    case 'overlayPod':
      return arriving(s.overlayPod, to, body, { ttl: 64 })
    case 'node':
      if (client === 'podA') return intoPodA(frame(PODS.podA.into, s.node, to, body))
      if (client !== 'overlayPod') return leavingNode(s, to, body)
      return {
        program: 'from_host',
        on: IFINDEX.host,
        frame: frame(OUT_OF_HOST, s.node, to, body),
      }
  }
}

/** What comes back to the client from the frontend. */
export function comesBack(s: Side, client: Client, place: Place, from: Address, body: Body): Seen {
  const hop = place === 'node' ? {} : ROUTED
  const to = clientAddress(s, client)
  const macs = { podB: WAY.outOfB, node: OUT_OF_NODE }[place as string] ?? WAY.fromPeer
  const sentByXdp = isXdps(client, place)
  const action = place === 'node' ? 'PASS' : 'REDIRECT'
  switch (client) {
    case 'podA':
      return { action, out: frame(PODS.podA.into, from, to, body, hop) }
    case 'outside':
    case 'neighbourPod':
      return { action, out: frame(macs, from, to, body, hop), sentByXdp }
    case 'node':
      // From its own address it takes nothing but by weir_host.
      if (place !== 'node' && (place === 'overlayPod' || from === s.node)) {
        return { action: 'REDIRECT', out: frame(TO_HOST, from, to, body) }
      }
      return { action: 'PASS', out: frame(macs, from, to, body) }
    case 'overlayPod': {
      const inner = frame(BY_HOST, from, to, body, hop)
      return { action: 'REDIRECT', out: wrapped(s, inner), sentByXdp }
    }
  }
}

function byUplink(bytes: Uint8Array): Met {
  return { program: 'from_uplink', on: IFINDEX.uplink, frame: bytes }
}

/** What it sends to its own address it sends by the loopback. */
function leavingNode(s: Side, to: Address, body: Body): Met {
  const on = to === s.node ? IFINDEX.loopback : IFINDEX.uplink
  return { program: 'to_uplink', on, frame: frame(OUT_OF_NODE, s.node, to, body) }
}

function intoPodA(bytes: Uint8Array): Met {
  return { program: 'to_pod', on: IFINDEX.podA, frame: bytes }
}
