// The words of section .data.epoch, shared by agent and programs: one memory load per packet. A
// flow decided under another epoch is decided again on its next packet; the epoch is bumped after
// each batch that changed who lives where, or who may talk to whom.
import type { BpfMap } from '../libbpf/map.ts'
import * as layout from './layout.gen.ts'

const ONLY_KEY = layout.u32.toBytes(0)

/** Variables of the section: its map has one entry with all of them. */
export type SharedWord = 'epoch' | 'policyGeneration' | 'policyReports'

export function readWord(map: BpfMap, word: SharedWord): number {
  const { view } = readSection(map)
  return view.getUint32(layout.globals[word].offset, true)
}

export function writeWord(map: BpfMap, word: SharedWord, value: number): void {
  const { bytes, view } = readSection(map)
  view.setUint32(layout.globals[word].offset, value, true)
  map.update(ONLY_KEY, bytes)
}

export function readEpoch(map: BpfMap): number {
  return readWord(map, 'epoch')
}

export function bumpEpoch(map: BpfMap): void {
  writeWord(map, 'epoch', (readEpoch(map) + 1) >>> 0)
}

function readSection(map: BpfMap): { bytes: Uint8Array; view: DataView } {
  const bytes = map.lookup(ONLY_KEY)
  if (!bytes) throw new Error('Cannot read the epoch: its map has no entry')
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) }
}
