// The epoch: a flow decided under another one is decided again on its next packet. Bumped after
// each batch that changed who lives where; one memory load per packet for the programs.
import type { BpfMap } from '../libbpf/map.ts'
import * as layout from './layout.gen.ts'

const ONLY_KEY = layout.u32.toBytes(0)

export function readEpoch(map: BpfMap): number {
  const bytes = map.lookup(ONLY_KEY)
  if (!bytes) throw new Error('Cannot read the epoch: its map has no entry')
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(layout.globals.epoch.offset, true)
}

/** The map is the section .data.epoch: one entry with all its variables. */
export function bumpEpoch(map: BpfMap): void {
  const bytes = map.lookup(ONLY_KEY)
  if (!bytes) throw new Error('Cannot bump the epoch: its map has no entry')
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const { offset } = layout.globals.epoch
  view.setUint32(offset, view.getUint32(offset, true) + 1, true)
  map.update(ONLY_KEY, bytes)
}
