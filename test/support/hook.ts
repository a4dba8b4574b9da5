// XDP in front of tc at the uplink, as fixtures meet it.
import assert from 'node:assert/strict'
import { concat } from '../../src/net/bytes.ts'
import { macToBytes } from '../../src/net/mac.ts'
import { assertFrame } from './packet.ts'
import { IFINDEX, MAC, VXLAN_PORT } from './topology.ts'
import type { RunResult, World } from './world.ts'

/** A frame that leaves by the uplink towards the underlay's router or another node. */
export const onWire = { sourceMac: MAC.uplink, destinationMac: MAC.peer }

/** As XDP_STACK_EVERY in bpf/lib/xdp_forward.h. */
export const STACK_EVERY = 32

export interface Arrival {
  readonly on: number
  readonly frame: Uint8Array
  /** As tc leaves it. */
  readonly out?: Uint8Array | ((actual: Uint8Array) => Uint8Array)
  /** XDP sends it on by itself; else it leaves it to tc as it came, or drops it. */
  readonly sentByXdp?: boolean
}

/**
 * What XDP makes of a packet that comes by the uplink, in tc's words; undefined when it leaves it
 * to tc, as it came. Ethernet addresses are those on the wire, which tc leaves to the kernel: they
 * are looked at here, and what tc would have left is put in their place.
 */
export function arriveAtXdp(world: World, arrival: Arrival): RunResult | undefined {
  const { frame, on, out = frame, sentByXdp = false } = arrival
  const met = world.run('xdp_uplink', frame, on)
  if (met.action === 'SHOT') return met
  if (met.action === 'PASS') {
    assert.ok(!sentByXdp || isStackSecond(sourcePortOf(frame)), 'left to tc')
    assertFrame(met.frame, frame)
    return undefined
  }
  assert.equal(met.action, sentByXdp ? 'TX' : 'PASS', 'verdict of XDP')
  const bytes = met.frame.slice()
  const own = on === IFINDEX.uplink2 ? MAC.uplink2 : onWire.sourceMac
  const macs = concat(macToBytes(onWire.destinationMac), macToBytes(own))
  assert.deepEqual(bytes.slice(0, macs.length), macs, 'Ethernet addresses on the wire')
  const wanted = typeof out === 'function' ? out(bytes) : out
  bytes.set(wanted.slice(0, macs.length))
  return { action: 'REDIRECT', frame: bytes }
}

/** Of the packet that has it, within VXLAN or not. */
function sourcePortOf(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  const portAt = (l3: number): number => l3 + (view.getUint16(l3 - 2) === 0x0800 ? 20 : 40)
  const isTunnelled = view.getUint16(portAt(ETHERNET) + 2) === VXLAN_PORT
  return view.getUint16(portAt(isTunnelled ? ETHERNET + VXLAN : ETHERNET))
}

const ETHERNET = 14
const VXLAN = 50

/** True when quiet flows of this source port go by the stack, so that their neighbour is used. */
export function isStackSecond(sourcePort: number): boolean {
  const at = (process.hrtime()[0] + sourcePort) % STACK_EVERY
  // And not just before it: the programs' clock may be a tick away from ours.
  return at === 0 || at === STACK_EVERY - 1
}
