// Drop events as the programs report them, decoded, to whoever listens. Nobody listening is the
// usual case: then batches are thrown away undecoded.
import type { Library } from '../libbpf/library.ts'
import type { BpfMap } from '../libbpf/map.ts'
import { RingBuffer } from '../libbpf/ring-buffer.ts'
import type { DatapathEvent } from '../tables/actual.ts'
import { directionName, reasonName } from './inspect.ts'
import * as layout from './layout.gen.ts'

export class Events {
  readonly #listeners = new Set<(event: DatapathEvent) => void>()
  readonly #ring: RingBuffer

  /** Reads from now on; one reader a ring. */
  constructor(library: Library, map: BpfMap) {
    this.#ring = new RingBuffer(library, map, (records) => this.#deliver(records))
    this.#ring.unref()
  }

  /** Calls back for every event until the answered function is called. */
  subscribe(listener: (event: DatapathEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#ring.close()
  }

  #deliver(records: readonly Uint8Array[]): void {
    if (this.#listeners.size === 0) return
    for (const record of records) {
      const event = decodeEvent(record)
      for (const listener of this.#listeners) listener(event)
    }
  }
}

export function decodeEvent(record: Uint8Array): DatapathEvent {
  const event = layout.event.fromBytes(record)
  return {
    kind: 'drop',
    timeNs: event.timestamp,
    reason: reasonName(event.reason),
    program: directionName(event.direction),
    ifindex: event.ifindex,
    ...(event.endpointId === 0 ? {} : { endpointId: event.endpointId }),
    lengthBytes: event.length,
    tuple: event.tuple,
  }
}
