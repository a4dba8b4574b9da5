// The tbf qdisc as an interface's root: what leaves by it is held to a rate. It lives and ends with
// its interface. The kernel cuts packets that stand for many segments when they exceed the burst.
import { viewOf } from '../libbpf/records.ts'
import { attribute, FLAGS, nested, type Request, request, textAttribute } from './message.ts'
import type { Netlink } from './netlink.ts'
import { Attributes } from './parse.ts'

const NEW_QDISC = 36
const GET_QDISC = 38
const FIXED_SIZE = 20
const ROOT = 0xffffffff
/** Ours, so that another's root qdisc is replaced and not changed. */
const HANDLE = 0x77650000
const TCA = { kind: 1, options: 2 } as const
const TCA_TBF = { parameters: 1, rate64: 4, burst: 6 } as const
/** struct tc_tbf_qopt: two struct tc_ratespec, then limit, buffer and mtu. */
const PARAMETERS = { size: 36, linkLayer: 1, rate: 8, limit: 24, buffer: 28 } as const
const ETHERNET = 1
const MOST = 2 ** 32 - 1
/** The kernel tells a burst as time, in ticks of this many nanoseconds. */
const TICK_NS = 64

export interface TokenBucket {
  readonly bytesPerSecond: number
  /** Bytes that may pass at once after a pause. */
  readonly burstBytes: number
  /** Bytes that wait for their turn; what comes beyond them is dropped. */
  readonly limitBytes: number
}

/** Replaces the root qdisc; a bucket that is there already keeps its packets. */
export function replaceTokenBucketRequest(ifindex: number, bucket: TokenBucket): Request {
  const { bytesPerSecond, burstBytes, limitBytes } = bucket
  const parameters = Buffer.alloc(PARAMETERS.size)
  parameters[PARAMETERS.linkLayer] = ETHERNET
  parameters.writeUInt32LE(Math.min(bytesPerSecond, MOST), PARAMETERS.rate)
  parameters.writeUInt32LE(Math.min(limitBytes, MOST), PARAMETERS.limit)
  const rate = Buffer.alloc(8)
  rate.writeBigUInt64LE(BigInt(bytesPerSecond))
  const burst = Buffer.alloc(4)
  burst.writeUInt32LE(Math.min(burstBytes, MOST))
  const options = nested(
    TCA.options,
    attribute(TCA_TBF.parameters, parameters),
    ...(bytesPerSecond > MOST ? [attribute(TCA_TBF.rate64, rate)] : []),
    attribute(TCA_TBF.burst, burst),
  )
  return request({
    type: NEW_QDISC,
    flags: FLAGS.create | FLAGS.replace,
    fixed: fixed(ifindex),
    attributes: [textAttribute(TCA.kind, 'tbf'), options],
    operation: 'replace',
    object: `token bucket of interface ${ifindex}`,
  })
}

/** The interface's root qdisc when it is a token bucket. The burst is as exact as ticks are. */
export function tokenBucketOf(netlink: Netlink, ifindex: number): TokenBucket | undefined {
  const list = request({
    type: GET_QDISC,
    flags: FLAGS.dump,
    fixed: fixed(ifindex),
    operation: 'list',
    object: `qdiscs of interface ${ifindex}`,
  })
  for (const { body } of netlink.dump(list)) {
    const view = viewOf(body)
    const attributes = new Attributes(body, FIXED_SIZE)
    if (view.getInt32(4, true) !== ifindex || view.getUint32(12, true) !== ROOT) continue
    if (attributes.text(TCA.kind) === 'tbf') return parseBucket(attributes.nested(TCA.options))
  }
  return undefined
}

function parseBucket(options: Attributes): TokenBucket | undefined {
  const parameters = options.bytes(TCA_TBF.parameters)
  if (parameters === undefined || parameters.length < PARAMETERS.size) return undefined
  const view = viewOf(parameters)
  const rate64 = options.bytes(TCA_TBF.rate64)
  const bytesPerSecond = rate64
    ? Number(viewOf(rate64).getBigUint64(0, true))
    : view.getUint32(PARAMETERS.rate, true)
  const bufferNs = view.getUint32(PARAMETERS.buffer, true) * TICK_NS
  return {
    bytesPerSecond,
    burstBytes: Math.round((bufferNs * bytesPerSecond) / 1e9),
    limitBytes: view.getUint32(PARAMETERS.limit, true),
  }
}

/** struct tcmsg. */
function fixed(ifindex: number): Uint8Array {
  const bytes = Buffer.alloc(FIXED_SIZE)
  bytes.writeInt32LE(ifindex, 4)
  bytes.writeUInt32LE(HANDLE, 8)
  bytes.writeUInt32LE(ROOT, 12)
  return bytes
}
