// The compiled object loaded with real maps and no hooks: programs are run one packet at a time by
// BPF_PROG_TEST_RUN. A redirect is only a verdict there, so tests look at the frame and the flow.
import type { Codec, MapLayout } from '../../src/datapath/codec.ts'
import { KernelMap } from '../../src/datapath/entry-map.ts'
import * as layout from '../../src/datapath/layout.gen.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import type { BpfMap } from '../../src/libbpf/map.ts'
import { BpfObject } from '../../src/libbpf/object.ts'
import type { Program } from '../../src/libbpf/program.ts'
import { type MapRows, testConfig, topologyRows } from './topology.ts'

export const OBJECT_PATH =
  process.env['WEIR_OBJECT'] ?? new URL('../../bpf/out/weir.bpf.o', import.meta.url).pathname

/** TC verdicts as in linux/pkt_cls.h; PASS is TC_ACT_UNSPEC: the next program, else the stack. */
export const ACTION = { PASS: 0xffffffff, SHOT: 2, REDIRECT: 7 } as const
/** XDP's; TX is out by the device where the frame came in. */
const XDP_ACTION = { PASS: 2, SHOT: 1, TX: 3 } as const
export type Action = keyof typeof ACTION | keyof typeof XDP_ACTION

export interface RunResult {
  readonly action: string
  readonly frame: Uint8Array
}

export interface WorldOptions {
  readonly config?: Partial<layout.Config>
  readonly maxEntries?: Readonly<Record<string, number>>
}

/** Cleared before each fixture; the maps of the topology stay. */
const POLICY = ['identities', 'cidr_identities', 'pod_policies', 'policy']
const PER_FIXTURE = ['flows', 'embryos', 'recent', 'fragments', 'metrics', 'affinity', ...POLICY]

export class World {
  readonly object: BpfObject
  readonly #maps = new Map<string, BpfMap>()
  readonly #programs = new Map<string, Program>()

  constructor({ config = {}, maxEntries = {} }: WorldOptions = {}) {
    this.object = BpfObject.open(openLibrary(), OBJECT_PATH)
    const { section, offset } = layout.globals.config
    const bytes = this.object.initialData(section)
    bytes.set(layout.config.toBytes({ ...testConfig(), ...config }), offset)
    this.object.setData(section, bytes)
    for (const [map, entries] of Object.entries(maxEntries)) this.object.setMaxEntries(map, entries)
    this.object.load()
  }

  map(name: string): BpfMap {
    const known = this.#maps.get(name)
    if (known) return known
    const map = this.object.map(name)
    this.#maps.set(name, map)
    return map
  }

  entries<K, V>(map: MapLayout<K, V>): KernelMap<K, V> {
    return new KernelMap(this.map(map.name), map)
  }

  program(name: string): Program {
    const known = this.#programs.get(name)
    if (known) return known
    const program = this.object.program(name)
    this.#programs.set(name, program)
    return program
  }

  /** Empty flows and counters, the rows of the topology, epoch 1. */
  reset(rows: Partial<MapRows> = {}): void {
    for (const name of PER_FIXTURE) this.#clear(name)
    this.epoch = 1
    const all = { ...topologyRows(), ...rows }
    this.#fill(layout.maps.endpoints, all.endpoints)
    this.#fill(layout.maps.destinations, all.destinations)
    this.#fill(layout.maps.services, all.services)
    this.#fill(layout.maps.backends, all.backends)
    this.#fill(layout.maps.uplinks, all.uplinks)
    this.#fill(layout.maps.noMasquerade, all.noMasquerade)
    this.#fill(layout.maps.sourceRanges, all.sourceRanges)
  }

  set epoch(value: number) {
    this.setWord('epoch', value)
  }

  /** One of the variables that agent and programs share. */
  setWord(word: 'epoch' | 'policyReports', value: number): void {
    const { section, offset } = layout.globals[word]
    const map = this.map(section)
    const key = new Uint8Array(4)
    const bytes = map.lookup(key) ?? new Uint8Array(map.valueSize)
    bytes.set(layout.u32.toBytes(value), offset)
    map.update(key, bytes)
  }

  /** Runs a program on a frame that arrives on, or leaves by, the device. */
  run(program: string, frame: Uint8Array, ifindex: number, gsoSize = 0): RunResult {
    if (this.program(program).type === 'xdp') return this.#runXdp(program, frame, ifindex)
    const context = skBuff(ifindex, gsoSize)
    const result = this.program(program).testRun({ data: frame, context })
    return { action: actionOf(result.returnValue), frame: result.data }
  }

  #runXdp(program: string, frame: Uint8Array, ifindex: number): RunResult {
    const context = new Uint8Array(XDP_MD_BYTES)
    const view = new DataView(context.buffer)
    view.setUint32(XDP_MD_DATA_END, frame.length, true)
    view.setUint32(XDP_MD_INGRESS_IFINDEX, ifindex, true)
    const result = this.program(program).testRun({ data: frame, context })
    return { action: nameOf(XDP_ACTION, result.returnValue), frame: result.data }
  }

  /** The metrics that are not zero, summed over the CPUs. */
  counters(): { direction: number; slot: number; packets: number; bytes: number }[] {
    const counters = []
    for (const [keyBytes, values] of this.map('metrics').entries()) {
      const key = layout.u32.fromBytes(keyBytes)
      let [packets, bytes] = [0, 0]
      for (const metric of perCpu(values, layout.metric)) {
        packets += Number(metric.packets)
        bytes += Number(metric.bytes)
      }
      if (packets === 0) continue
      counters.push({ direction: key >> METRIC_SHIFT, slot: key & 63, packets, bytes })
    }
    return counters
  }

  close(): void {
    for (const map of this.#maps.values()) map.close()
    for (const program of this.#programs.values()) program.close()
    this.object.close()
  }

  #clear(name: string): void {
    const map = this.map(name)
    if (map.type.includes('array')) {
      for (let index = 0; index < map.maxEntries; index++) {
        map.update(layout.u32.toBytes(index), new Uint8Array(map.valueBytes))
      }
      return
    }
    // LRU maps may show an entry twice or late while they are walked.
    for (let keys = keysOf(map); keys.length > 0; keys = keysOf(map)) map.deleteMany(keys)
  }

  #fill<K, V>(map: MapLayout<K, V>, rows: readonly (readonly [K, V])[]): void {
    this.#clear(map.name)
    const [failure] = this.entries(map).updateMany(rows).values()
    if (failure) throw failure
  }
}

/** As in bpf/lib/metrics.h. */
const METRIC_SHIFT = 6
const SK_BUFF_BYTES = 192
const SK_BUFF_INGRESS_IFINDEX = 36
const SK_BUFF_IFINDEX = 40
const SK_BUFF_GSO_SIZE = 176
const XDP_MD_BYTES = 24
const XDP_MD_DATA_END = 4
const XDP_MD_INGRESS_IFINDEX = 12

/** struct __sk_buff of a frame on this device. */
export function skBuff(ifindex: number, gsoSize = 0): Uint8Array {
  const context = new Uint8Array(SK_BUFF_BYTES)
  const view = new DataView(context.buffer)
  view.setUint32(SK_BUFF_INGRESS_IFINDEX, ifindex, true)
  view.setUint32(SK_BUFF_IFINDEX, ifindex, true)
  view.setUint32(SK_BUFF_GSO_SIZE, gsoSize, true)
  return context
}

/** A tc verdict by its name. */
export function actionOf(verdict: number): string {
  return nameOf(ACTION, verdict)
}

function nameOf(actions: Readonly<Record<string, number>>, verdict: number): string {
  return Object.entries(actions).find(([, value]) => value === verdict)?.[0] ?? String(verdict)
}

function keysOf(map: BpfMap): Uint8Array[] {
  return [...map.entries()].map(([key]) => key.slice())
}

/** The values of a per-CPU map's entry, one a CPU. */
export function perCpu<T>(bytes: Uint8Array, codec: Codec<T>): T[] {
  const stride = Math.ceil(codec.size / 8) * 8
  return Array.from({ length: bytes.length / stride }, (_, cpu) =>
    codec.fromBytes(bytes.subarray(cpu * stride, cpu * stride + codec.size)),
  )
}
