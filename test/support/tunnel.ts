// Packets in VXLAN between the test node and another one, as steps, and the flows they leave.
import assert from 'node:assert/strict'
import * as layout from '../../src/datapath/layout.gen.ts'
import { type Address, parseAddress } from '../../src/net/address.ts'
import { vxlan } from '../../src/net/ethernet.ts'
import type { Body } from '../../src/net/packet.ts'
import { intoPod, ROUTED, sent, tuple } from './connection.ts'
import { type ExpectedFlow, reverse, type Step } from './fixture.ts'
import { frame, tunnelled, udp, WAY } from './frames.ts'
import { IFINDEX, MAC, MTU, type Side, VNI, VXLAN_PORT } from './topology.ts'

const { REVERSE, FROM_OVERLAY } = layout.FlowFlags
export const NODE = parseAddress('192.168.50.1')
export const STRANGER = parseAddress('192.168.50.77')
export const BY_HOST = { sourceMac: MAC.host, destinationMac: MAC.host }
const VXLAN_OVERHEAD = 50
export const OVERLAY_MTU = MTU.uplink - VXLAN_OVERHEAD

/** The frame on the uplink; its UDP source port is a hash. tc leaves the MACs to the kernel. */
export function wrapped(
  s: Side,
  inner: Uint8Array,
  macs = BY_HOST,
): (actual: Uint8Array) => Uint8Array {
  return (actual) => {
    const sourcePort = new DataView(actual.buffer, actual.byteOffset).getUint16(34)
    assert.ok(sourcePort >= 32768, `source port ${sourcePort}`)
    const payload = vxlan(VNI, inner)
    const body: Body = { ...udp(sourcePort, VXLAN_PORT, payload), noChecksum: true } as Body
    return frame(macs, NODE, s.overlayNode, body, { dontFragment: true })
  }
}

/** Pod A's packet to the pod behind the tunnel. */
export function toRemote(s: Side, body: Body): Step {
  const inner = frame(BY_HOST, s.podA, s.overlayPod, body, ROUTED)
  return { ...sent(s, 'podA', s.overlayPod, body), action: 'REDIRECT', out: wrapped(s, inner) }
}

export interface Arriving {
  readonly node?: Address
  readonly vni?: number
  readonly port?: number
  readonly ttl?: number
}

/** A packet in VXLAN as it arrives at the uplink. */
export function arriving(
  source: Address,
  destination: Address,
  body: Body,
  { node = parseAddress('192.168.50.2'), ttl = 63, ...more }: Arriving = {},
): Pick<Step, 'program' | 'on' | 'frame'> {
  const inner = frame(BY_HOST, source, destination, body, { ttl })
  const bytes = tunnelled(inner, { source: node, destination: NODE, ...more })
  return { program: 'from_uplink', on: IFINDEX.uplink, frame: bytes }
}

/** The remote pod's packet, and what pod A gets. */
export function fromRemote(s: Side, body: Body): Step {
  const out = frame(WAY.intoA, s.overlayPod, s.podA, body, { ttl: 62 })
  return { ...arriving(s.overlayPod, s.podA, body), action: 'REDIRECT', out }
}

export function remotePair(s: Side, flags: number): ExpectedFlow[] {
  const key = tuple(s.podA, 1000, s.overlayPod, 8080)
  const node = s.overlayNode
  const away = {
    next: layout.FlowNext.OVERLAY,
    fromIfindex: IFINDEX.podA,
    toIfindex: IFINDEX.overlay,
    mtu: OVERLAY_MTU,
  }
  return [
    { key, out: key, node, flags, epoch: 1, ...away },
    {
      key: reverse(key),
      out: reverse(key),
      node,
      flags: flags | REVERSE | FROM_OVERLAY,
      epoch: 1,
      ...intoPod('podA', IFINDEX.overlay),
    },
  ]
}
