// One sample, as a process in the fabric's namespace: opens connections through a node, sends it
// frames as fast as the kernel makes them (XDP's live frames: no sockets, no copies, as from a card
// at line rate), and counts what arrives at the other end. Run as a file it takes an Order as JSON
// and prints a Sample.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLibrary } from '../../libbpf/library.ts'
import { BpfMap } from '../../libbpf/map.ts'
import { Program } from '../../libbpf/program.ts'
import { FRAME_BYTES, type Opening, type Volley } from './frames.ts'

export interface Order {
  /** Directory of the pinned programs and maps of bpf/bench/volley.bpf.c. */
  readonly pins: string
  /** Index of the device whose other end is the node's. */
  readonly ifindex: number
  /** What opens each connection, one step after another: all arrive before the next. */
  readonly opening: readonly Opening[]
  readonly load: Volley
  /** At least; 0: only open. */
  readonly durationMs: number
  /** Threads that do the node's work. */
  readonly threads: readonly number[]
}

export interface Sample {
  readonly sent: number
  readonly arrived: number
  readonly durationNs: number
  /** CPU time of the threads. */
  readonly workNs: number
}

const LIVE_FRAMES = 2
/** struct volley begins with the frame. */
const [IFINDEX_AT, SENDERS_AT, NEXT_AT] = [80, 84, 88] as const
const FIRST = new Uint8Array(4)
/**
 * Frames of one call, which begins and ends with tens of milliseconds of the kernel's own: the node
 * then empties its ring (256) without being sent more, and that must not count.
 */
const BATCH = 1 << 20
/** Fewer than a veth's ring holds. */
const OPENING_BATCH = 128
const OPENING_LIMIT_MS = 200
const OPENING_TRIES = 10
/** Counters of bpf/bench/volley.bpf.c: load, asked, answered. */
const COUNTERS: readonly number[] = [0, 1, 2]
export const FILE = fileURLToPath(import.meta.url)

class Range {
  readonly #program: Program
  readonly #volleys: BpfMap
  readonly #arrived: BpfMap
  readonly #ifindex: number

  constructor({ pins, ifindex }: Order) {
    const library = openLibrary()
    this.#program = Program.openPinned(library, join(pins, 'volley'))
    this.#volleys = BpfMap.openPinned(library, join(pins, 'volleys'))
    this.#arrived = BpfMap.openPinned(library, join(pins, 'arrived'))
    this.#ifindex = ifindex
  }

  /** struct volley. The first sender is drawn, so that samples in a row do not meet the same. */
  load({ frame, senders }: Volley, first: number): void {
    const value = Buffer.alloc(this.#volleys.valueSize)
    value.write(frame, 'hex')
    value.writeUInt32LE(this.#ifindex, IFINDEX_AT)
    value.writeUInt32LE(senders, SENDERS_AT)
    value.writeUInt32LE(first, NEXT_AT)
    this.#volleys.update(FIRST, value)
  }

  /** Nanoseconds of sending alone. */
  fire(count: number): number {
    // Senders and all are written by the program.
    const run = { data: new Uint8Array(FRAME_BYTES), repeat: count, flags: LIVE_FRAMES }
    return this.#program.testRun(run).durationNs * count
  }

  arrived(): number {
    return COUNTERS.reduce((sum, at) => {
      const value = this.#arrived.lookup(Uint8Array.of(at, 0, 0, 0)) ?? new Uint8Array(8)
      return sum + Number(Buffer.from(value).readBigUInt64LE())
    }, 0)
  }

  /** A few at a time, each waited for: a burst would be lost where the node is slow. */
  open(volley: Opening): void {
    this.load(volley, 0)
    for (let done = 0; done < volley.senders; done += OPENING_BATCH) {
      this.#openSome(Math.min(OPENING_BATCH, volley.senders - done), volley.arrivals)
    }
  }

  /** Asked again like a client would: tables that are full of strangers may forget one. */
  #openSome(count: number, arrivals: number): void {
    let missing = 0
    for (let tries = 0; tries < OPENING_TRIES; tries++) {
      const wanted = this.arrived() + count * arrivals
      this.fire(count)
      const until = performance.now() + OPENING_LIMIT_MS
      do missing = wanted - this.arrived()
      while (missing > 0 && performance.now() < until)
      if (missing <= 0) return
      this.#rewind(count)
    }
    throw new Error(`Cannot open connections: ${missing} of ${count * arrivals} did not arrive`)
  }

  /** The senders of the last frames, so many, are the next again. */
  #rewind(count: number): void {
    const value = this.#volleys.lookup(FIRST) ?? new Uint8Array(this.#volleys.valueSize)
    const view = new DataView(value.buffer, value.byteOffset)
    const [senders, next] = [view.getUint32(SENDERS_AT, true), view.getUint32(NEXT_AT, true)]
    view.setUint32(NEXT_AT, (next + senders - count) % senders, true)
    this.#volleys.update(FIRST, value)
  }
}

function takeSample(order: Order): Sample {
  const range = new Range(order)
  for (const volley of order.opening) range.open(volley)
  range.load(order.load, Math.floor(Math.random() * order.load.senders))
  const before = { arrived: range.arrived(), workNs: workOf(order.threads) }
  let sent = 0
  let durationNs = 0
  for (; durationNs < order.durationMs * 1e6; sent += BATCH) durationNs += range.fire(BATCH)
  return {
    ...{ sent, durationNs, arrived: range.arrived() - before.arrived },
    workNs: workOf(order.threads) - before.workNs,
  }
}

function workOf(threads: readonly number[]): number {
  const times = threads.map((pid) => readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0])
  return times.reduce((sum, ns) => sum + Number(ns), 0)
}

if (process.argv[1] === FILE) {
  console.log(JSON.stringify(takeSample(JSON.parse(process.argv[2] ?? '{}') as Order)))
}
