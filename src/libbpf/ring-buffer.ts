// A BPF ring buffer as batches of records. A native thread drains the ring into a socket pair that
// Node reads like any stream, so no call crosses the FFI per record. When the reader falls behind,
// the ring fills up and its writers lose records: count them in the program.
import { Socket } from 'node:net'
import { check } from './errors.ts'
import type { Library } from './library.ts'
import type { BpfMap } from './map.ts'

const LENGTH_SIZE = 4

/** Cuts a stream into its records, each a 32-bit little-endian length and the bytes. */
export class RecordStream {
  #rest: Buffer = Buffer.alloc(0)

  /** The records that are complete with this piece: views of it where they lie in it whole. */
  push(piece: Buffer): Uint8Array[] {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    const records: Uint8Array[] = []
    let at = 0
    while (at + LENGTH_SIZE <= bytes.length) {
      const end = at + LENGTH_SIZE + bytes.readUInt32LE(at)
      if (end > bytes.length) break
      records.push(bytes.subarray(at + LENGTH_SIZE, end))
      at = end
    }
    this.#rest = bytes.subarray(at)
    return records
  }
}

/** Reads a ring buffer from construction to close(). One reader a map: records are consumed. */
export class RingBuffer {
  readonly #socket: Socket
  readonly #stream = new RecordStream()
  #isOpen = true

  constructor(library: Library, map: BpfMap, onRecords: (records: Uint8Array[]) => void) {
    const answer = library.native.weir_ring_buffer_stream(map.fd)
    const fd = check(answer, 'read', `ring buffer ${map.name}`)
    this.#socket = new Socket({ fd, readable: true, writable: true })
    this.#socket.on('data', (piece: Buffer) => {
      const records = this.#stream.push(piece)
      if (records.length > 0) onRecords(records)
    })
    this.#socket.on('close', () => {
      if (this.#isOpen) throw new Error(`Cannot read ring buffer ${map.name}: its thread ended`)
    })
  }

  /** Lets the process end while the buffer is open. */
  unref(): void {
    this.#socket.unref()
  }

  /** The native thread ends; records on their way are dropped. */
  close(): void {
    this.#isOpen = false
    this.#socket.destroy()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
