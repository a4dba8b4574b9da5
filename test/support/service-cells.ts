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
type Seen = Pick<Step, 'action' | 'out'>

/** outside: beyond the cluster. node: this node's own stack. remotePod: behind VXLAN. */
export type Client = 'podA' | 'outside' | 'node' | 'remotePod'
export type Place = 'podB' | 'neighbourPod' | 'overlayPod' | 'node'

const OUT_OF_NODE = { sourceMac: MAC.uplink, destinationMac: MAC.peer }
const TO_HOST = { sourceMac: MAC.uplink, destinationMac: MAC.host }
const OUT_OF_HOST = { sourceMac: MAC.host, destinationMac: MAC.host }

export function clientAddress(s: Side, client: Client): Address {
  return { podA: s.podA, outside: s.world, node: s.node, remotePod: s.overlayPod }[client]
}

/** The client's packet to the frontend, where it is met first. */
export function asks(s: Side, client: Client, to: Address, body: Body): Met {
  switch (client) {
    case 'podA':
      return sent(s, 'podA', to, body)
    case 'outside':
      return byUplink(frame(WAY.fromPeer, s.world, to, body))
    case 'node':
      return leavingNode(frame(OUT_OF_NODE, s.node, to, body))
    case 'remotePod':
      return arriving(s.overlayPod, to, body, { ttl: 64 })
  }
}

/** What goes to the backend. */
export function reaches(s: Side, client: Client, place: Place, source: Address, body: Body): Seen {
  const hop = client === 'node' ? {} : ROUTED
  const macs = {
    podA: WAY.outOfA,
    outside: WAY.fromPeer,
    node: OUT_OF_NODE,
    // The wrapping is taken off behind the outer Ethernet header.
    remotePod: WAY.fromPeer,
  }[client]
  switch (place) {
    case 'podB':
      return { action: 'REDIRECT', out: frame(PODS.podB.into, source, s.podB, body, hop) }
    case 'neighbourPod':
      return { action: 'REDIRECT', out: frame(macs, source, s.neighbourPod, body, hop) }
    case 'overlayPod': {
      const inner = frame(BY_HOST, source, s.overlayPod, body, hop)
      return { action: 'REDIRECT', out: wrapped(s, inner) }
    }
    case 'node':
      if (client !== 'remotePod') return { action: 'PASS', out: frame(macs, source, s.node, body) }
      return { action: 'REDIRECT', out: frame(TO_HOST, source, s.node, body) }
  }
}

/** The backend's answer, where it is met first. */
export function answers(s: Side, client: Client, place: Place, to: Address, body: Body): Met {
  switch (place) {
    case 'podB':
      return sent(s, 'podB', to, body)
    case 'neighbourPod':
      return byUplink(frame(WAY.fromPeer, s.neighbourPod, to, body))
    case 'overlayPod':
      return arriving(s.overlayPod, to, body, { ttl: 64 })
    case 'node':
      if (client === 'podA') return intoPodA(frame(PODS.podA.into, s.node, to, body))
      if (client === 'outside') return leavingNode(frame(OUT_OF_NODE, s.node, to, body))
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
  const macs = {
    podB: WAY.outOfB,
    neighbourPod: WAY.fromPeer,
    overlayPod: WAY.fromPeer,
    node: OUT_OF_NODE,
  }[place]
  switch (client) {
    case 'podA':
      return {
        action: place === 'node' ? 'PASS' : 'REDIRECT',
        out: frame(PODS.podA.into, from, to, body, hop),
      }
    case 'outside':
      return {
        action: place === 'node' ? 'PASS' : 'REDIRECT',
        out: frame(macs, from, to, body, hop),
      }
    case 'node':
      if (place !== 'overlayPod') return { action: 'PASS', out: frame(macs, from, to, body) }
      return { action: 'REDIRECT', out: frame(TO_HOST, from, to, body) }
    case 'remotePod':
      return { action: 'REDIRECT', out: wrapped(s, frame(BY_HOST, from, to, body, hop)) }
  }
}

function byUplink(bytes: Uint8Array): Met {
  return { program: 'from_uplink', on: IFINDEX.uplink, frame: bytes }
}

function leavingNode(bytes: Uint8Array): Met {
  return { program: 'to_uplink', on: IFINDEX.uplink, frame: bytes }
}

function intoPodA(bytes: Uint8Array): Met {
  return { program: 'to_pod', on: IFINDEX.podA, frame: bytes }
}
