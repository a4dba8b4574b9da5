// Limits of bandwidth as token buckets. To a pod its packets queue at the egress of the host end,
// from it at the egress of the pod's own interface. Pure but for reading what is there.
import type { Netlink } from '../netlink/netlink.ts'
import { type TokenBucket, tokenBucketOf } from '../netlink/token-bucket.ts'
import type { Endpoint } from '../tables/intent.ts'

/** How much of a second passes at once, and how much may wait. */
const BURST_SECONDS = 0.01
const QUEUE_SECONDS = 0.025
/** A slow pod's bursts and queue hold so many whole frames nevertheless. */
const LEAST_BURST_FRAMES = 4
const LEAST_QUEUE_FRAMES = 16
const ETHERNET_BYTES = 18
/** The kernel counts a burst in ticks of time, so it comes back a little different. */
const BURST_TOLERANCE = 0.02

export interface Shaping {
  /** To the pod. */
  readonly ingress?: TokenBucket
  /** From the pod. */
  readonly egress?: TokenBucket
}

/** Nothing for an endpoint without limits. */
export function shapingOf({ bandwidth, mtu }: Endpoint): Shaping {
  const { ingressBitsPerSecond, egressBitsPerSecond } = bandwidth ?? {}
  const ingress = tokenBucket(ingressBitsPerSecond, bandwidth?.ingressBurstBits, mtu)
  const egress = tokenBucket(egressBitsPerSecond, bandwidth?.egressBurstBits, mtu)
  return { ...(ingress && { ingress }), ...(egress && { egress }) }
}

function tokenBucket(
  bitsPerSecond: number | undefined,
  burstBits: number | undefined,
  mtu: number,
): TokenBucket | undefined {
  if (bitsPerSecond === undefined) return undefined
  const frame = mtu + ETHERNET_BYTES
  const bytesPerSecond = Math.max(1, Math.floor(bitsPerSecond / 8))
  const usual = Math.max(bytesPerSecond * BURST_SECONDS, LEAST_BURST_FRAMES * frame)
  // A burst below one frame would let nothing pass at all.
  const burst = Math.max(burstBits === undefined ? usual : burstBits / 8, frame)
  const queue = Math.max(bytesPerSecond * QUEUE_SECONDS, LEAST_QUEUE_FRAMES * frame)
  const burstBytes = cap(burst)
  return { bytesPerSecond, burstBytes, limitBytes: cap(burstBytes + queue) }
}

function cap(bytes: number): number {
  return Math.min(Math.round(bytes), 2 ** 32 - 1)
}

/** What is wrong with the bucket of an interface: one sentence or none. */
export function bucketProblems(
  netlink: Netlink,
  ifindex: number,
  { wanted, where }: { wanted: TokenBucket | undefined; where: string },
): string[] {
  if (!wanted) return []
  const held = tokenBucketOf(netlink, ifindex)
  const rate = `${wanted.bytesPerSecond * 8} bits a second`
  if (!held) return [`${where} is not held to ${rate}`]
  const { bytesPerSecond, burstBytes } = held
  if (bytesPerSecond !== wanted.bytesPerSecond) {
    return [`${where} is held to ${bytesPerSecond * 8} and not to ${rate}`]
  }
  const difference = Math.abs(burstBytes - wanted.burstBytes)
  if (difference <= wanted.burstBytes * BURST_TOLERANCE) return []
  return [`${where} may send ${burstBytes} bytes at once and not ${wanted.burstBytes}`]
}
