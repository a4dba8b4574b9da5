// The frames of `weir bench nodeport`: one length for all, so that only the work on them differs.
// Pure.
import type { Address } from '../../net/address.ts'
import type { Mac } from '../../net/mac.ts'
import { type Body, buildFrame } from '../../net/packet.ts'

/** Frames that are alike but for their senders. */
export interface Volley {
  /** In hex; its sender is the first of all. */
  readonly frame: string
  /** As many take turns. */
  readonly senders: number
}

export interface Opening extends Volley {
  /** How often each frame is counted on its way: at the server, and its answer at the client. */
  readonly arrivals: number
}

/** What is sent: only SYNs, each of a new client; or packets of connections that are open. */
export const LOADS = ['tcp-syn', 'tcp', 'udp'] as const
export type LoadName = (typeof LOADS)[number]

/** Between whom. */
export interface Ends {
  readonly client: Address
  readonly clientMac: Mac
  readonly node: Address
  readonly nodeMac: Mac
  readonly nodePort: number
}

/** As in bpf/bench/volley.bpf.c. */
export const FRAME_BYTES = 78
const MARK = 0x57454952
const MARK_ASK = MARK + 1
const FIRST_PORT = 1024
/** Connections that are open: more than fit the cache next to the core. */
const CONNECTIONS = 1024
/** Of SYNs none is sent twice in a run of some seconds: 256 clients with all their ports. */
const CLIENTS = 256 * 32_768
/** Of the first packet. The sink takes the same for its answer. */
const SEQUENCE = 1000
const HEADERS = { 4: 14 + 20, 6: 14 + 40 } as const
const TCP_HEADER = 20
const UDP_HEADER = 8

/** What opens the connections, and the load. `answered`: the sink sees questions as they are. */
export function volleysOf(
  load: LoadName,
  ends: Ends,
  answered: boolean,
): { opening: Opening[]; load: Volley } {
  const arrivals = answered ? 2 : 1
  const open = (frame: string) => ({ frame, senders: CONNECTIONS })
  if (load === 'tcp-syn') {
    return { opening: [], load: { frame: syn(ends, MARK), senders: CLIENTS } }
  }
  if (load === 'udp') {
    const asking = { ...open(datagram(ends, MARK_ASK)), arrivals }
    return { opening: [asking], load: open(datagram(ends, MARK)) }
  }
  const rest = open(segment(ends))
  return {
    opening: [
      { ...open(syn(ends, MARK_ASK)), arrivals },
      { ...rest, arrivals: 1 },
    ],
    load: rest,
  }
}

function syn(ends: Ends, mark: number): string {
  return tcp(ends, { flags: 'S', seq: SEQUENCE }, mark)
}

/** The first packet after both SYNs; sent again and again, it stays inside every window. */
function segment(ends: Ends): string {
  const next = SEQUENCE + 1 + payloadOf(ends, TCP_HEADER)
  return tcp(ends, { flags: 'A', seq: next, ack: next }, MARK)
}

function tcp(ends: Ends, header: Partial<Extract<Body, { kind: 'tcp' }>>, mark: number): string {
  const payload = marked(payloadOf(ends, TCP_HEADER), mark)
  return frameOf(ends, { kind: 'tcp', ...portsOf(ends), window: 65_535, ...header, payload })
}

function datagram(ends: Ends, mark: number): string {
  const payload = marked(payloadOf(ends, UDP_HEADER), mark)
  return frameOf(ends, { kind: 'udp', ...portsOf(ends), payload })
}

function portsOf({ nodePort }: Ends) {
  return { sourcePort: FIRST_PORT, destinationPort: nodePort }
}

function payloadOf({ node }: Ends, header: number): number {
  return FRAME_BYTES - HEADERS[node.includes(':') ? 6 : 4] - header
}

function marked(size: number, mark: number): Uint8Array {
  const payload = Buffer.alloc(size)
  payload.writeUInt32BE(mark, size - 4)
  return payload
}

function frameOf({ client, clientMac, node, nodeMac }: Ends, body: Body): string {
  const macs = { sourceMac: clientMac, destinationMac: nodeMac }
  const frame = buildFrame({ ...macs, source: client, destination: node, body })
  return Buffer.from(frame).toString('hex')
}
