// Flows and frames for fixtures of the XDP program, whose clock decides which packets of a quiet
// flow go by the stack.
import * as layout from '../../src/datapath/layout.gen.ts'
import { parseAddress } from '../../src/net/address.ts'
import { checksum, concat, uint32 } from '../../src/net/bytes.ts'
import type { Step } from './fixture.ts'
import { isStackSecond, STACK_EVERY } from './hook.ts'
import { IFINDEX, MAC, MTU } from './topology.ts'

export type FlowEntry = readonly [layout.Tuple, layout.Flow]

/** An entry used this very second, unless said otherwise. */
export function flowOf(key: layout.Tuple, more: Partial<layout.Flow>): FlowEntry {
  const flow: layout.Flow = {
    out: key,
    node: parseAddress('::'),
    epoch: 1,
    fromIfindex: 0,
    toIfindex: IFINDEX.uplink,
    lastSeen: process.hrtime()[0],
    serviceId: 0,
    egressRule: 0,
    ingressRule: 0,
    flags: 0,
    next: 0,
    destinationMac: MAC.none,
    sourceMac: MAC.none,
    mtu: MTU.uplink,
    packets: 0n,
    bytes: 0n,
    ...more,
  }
  return [key, flow]
}

/** The step, with these flows written before it, not in the second when they go by the stack. */
export function withFlows(flows: readonly FlowEntry[], step: Step): Step {
  return {
    ...step,
    before: (world) => {
      while (flows.some(([key]) => isStackSecond(key.sourcePort))) pause()
      world.entries(layout.maps.flows).updateMany(flows)
    },
  }
}

/** A source port whose quiet flows go by the stack in this second, of which some is left. */
export function stackPort(): number {
  for (;;) {
    const [second, nanoseconds] = process.hrtime()
    if (nanoseconds > 5e7 && nanoseconds < 9e8) return 1024 - (second % STACK_EVERY)
    pause()
  }
}

/** Fixtures are synchronous. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
}

/** The frame with the checksum that a stack leaves for hardware: the pseudo header's sum. */
export function unfinished(frame: Uint8Array): Uint8Array {
  const bytes = frame.slice()
  const isIpv6 = bytes[12] === 0x86
  const l4 = isIpv6 ? 54 : 34
  const addresses = isIpv6 ? bytes.slice(22, 54) : bytes.slice(26, 34)
  const protocol = bytes[isIpv6 ? 20 : 23] ?? 0
  const pseudo = concat(addresses, uint32(bytes.length - l4), uint32(protocol))
  new DataView(bytes.buffer).setUint16(l4 + (protocol === 6 ? 16 : 6), ~checksum(pseudo) & 0xffff)
  return bytes
}
