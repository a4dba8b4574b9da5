// Bytes of a watch to whole events: lines of JSON, or frames with a length before them. What is
// left when the stream ends is half an event, which nobody has seen and the next watch sends again.
import { GarbledError } from './errors.ts'

/** No object of Kubernetes comes near: etcd takes 1.5 MB. */
const MAX_FRAME_BYTES = 64 << 20
const LENGTH_BYTES = 4
const NEWLINE = 10

export interface Splitter {
  /** The frames that this chunk completes. Throws GarbledError. */
  push(chunk: Buffer): Generator<Buffer>
}

/** Frames that end with a newline; empty lines are passed over. */
export class LineSplitter implements Splitter {
  #parts: Buffer[] = []
  #sizeBytes = 0;

  *push(chunk: Buffer): Generator<Buffer> {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#take(chunk.subarray(start, end))
      start = end + 1
      if (line.length > 0) yield line
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  #take(end: Buffer): Buffer {
    if (this.#parts.length === 0) return end
    const line = Buffer.concat([...this.#parts, end])
    this.#parts = []
    this.#sizeBytes = 0
    return line
  }

  #keep(part: Buffer): void {
    this.#sizeBytes += part.length
    if (this.#sizeBytes > MAX_FRAME_BYTES) throw new GarbledError('a line without end')
    this.#parts.push(part)
  }
}

/** Frames that begin with their length, four bytes big-endian. */
export class LengthSplitter implements Splitter {
  #parts: Buffer[] = []
  #sizeBytes = 0;

  *push(chunk: Buffer): Generator<Buffer> {
    this.#parts.push(chunk)
    this.#sizeBytes += chunk.length
    while (this.#sizeBytes >= LENGTH_BYTES) {
      const bytes = this.#whole(LENGTH_BYTES)
      const length = bytes.readUInt32BE(0)
      if (length > MAX_FRAME_BYTES) throw new GarbledError(`a frame of ${length} bytes`)
      if (this.#sizeBytes < LENGTH_BYTES + length) return
      const all = this.#whole(LENGTH_BYTES + length)
      const frame = all.subarray(LENGTH_BYTES, LENGTH_BYTES + length)
      const rest = all.subarray(LENGTH_BYTES + length)
      this.#parts[0] = rest
      this.#sizeBytes -= LENGTH_BYTES + length
      yield frame
    }
  }

  /** The first part, made to hold at least so many bytes. */
  #whole(sizeBytes: number): Buffer {
    let first = this.#parts[0] ?? Buffer.alloc(0)
    if (first.length < sizeBytes) {
      first = Buffer.concat(this.#parts)
      this.#parts = [first]
    }
    return first
  }
}
