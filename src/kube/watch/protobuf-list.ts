// A list in protobuf, item by item as its bytes arrive. The envelope's raw field, which holds the
// whole list, is not waited for: its fields are read straight out of it.
import { GarbledError } from './errors.ts'
import { decodeMessage, MAGIC } from './protobuf.ts'

/** Wire types. */
const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

const UNKNOWN_RAW = 2
const LIST_METADATA = 1
const LIST_ITEMS = 2
/** No object of Kubernetes comes near: etcd takes 1.5 MB. */
const MAX_FIELD_BYTES = 64 << 20

interface Head {
  readonly number: number
  readonly wireType: number
  /** Bytes of the payload; those of a varint are counted by varintEnd(). */
  readonly length: number
  /** Where the payload begins. */
  readonly at: number
}

export class ProtobufListSplitter {
  #rest: Buffer = Buffer.alloc(0)
  #sawMagic = false
  /** Bytes left of the list inside the envelope; undefined outside of it. */
  #leftBytes: number | undefined
  #sawList = false
  #metadata: Uint8Array = new Uint8Array();

  /** Messages of the items that this chunk completes. Throws GarbledError. */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (!this.#sawMagic && !this.#readMagic()) return
    for (let field = this.#next(); field; field = this.#next()) {
      const { number, payload } = field
      if (this.#leftBytes === undefined || !payload) continue
      if (number === LIST_ITEMS) yield payload
      else if (number === LIST_METADATA) this.#metadata = payload
    }
  }

  /** The list's metadata. Throws GarbledError when the list is not whole. */
  end(): Record<string, unknown> {
    const isWhole = this.#sawList && (this.#leftBytes ?? 0) === 0 && this.#rest.length === 0
    if (!isWhole) throw new GarbledError('a list in protobuf that is not whole')
    return decodeMessage('ListMeta', this.#metadata)
  }

  #readMagic(): boolean {
    if (this.#rest.length < MAGIC.length) return false
    if (!this.#rest.subarray(0, MAGIC.length).equals(MAGIC)) {
      throw new GarbledError('a list in protobuf without "k8s"')
    }
    this.#rest = this.#rest.subarray(MAGIC.length)
    this.#sawMagic = true
    return true
  }

  /** The next whole field; undefined until more bytes arrive. The envelope's raw is entered. */
  #next(): { number: number; payload?: Buffer } | undefined {
    if (this.#leftBytes === 0) this.#leftBytes = undefined
    const head = readHead(this.#rest)
    if (!head) return undefined
    if (this.#leftBytes === undefined && head.number === UNKNOWN_RAW && head.wireType === BYTES) {
      if (this.#sawList) throw new GarbledError('two lists in one answer')
      this.#rest = this.#rest.subarray(head.at)
      this.#leftBytes = head.length
      this.#sawList = true
      return { number: 0 }
    }
    if (head.length > MAX_FIELD_BYTES) throw new GarbledError(`a field of ${head.length} bytes`)
    const end = head.at + head.length
    if (this.#leftBytes !== undefined && end > this.#leftBytes) {
      throw new GarbledError('a field that is longer than its list')
    }
    if (end > this.#rest.length) return undefined
    const payload = this.#rest.subarray(head.at, end)
    this.#rest = this.#rest.subarray(end)
    if (this.#leftBytes !== undefined) this.#leftBytes -= end
    return head.wireType === BYTES ? { number: head.number, payload } : { number: head.number }
  }
}

function readHead(bytes: Buffer): Head | undefined {
  const tag = readVarint(bytes, 0)
  if (!tag) return undefined
  const number = Math.floor(tag.value / 8)
  const wireType = tag.value % 8
  if (number === 0) throw new GarbledError('a protobuf field with the number 0')
  if (wireType === FIXED64) return { number, wireType, at: tag.end, length: 8 }
  if (wireType === FIXED32) return { number, wireType, at: tag.end, length: 4 }
  const value = readVarint(bytes, tag.end)
  if (!value) return undefined
  if (wireType === VARINT) return { number, wireType, at: tag.end, length: value.end - tag.end }
  if (wireType !== BYTES) throw new GarbledError(`protobuf wire type ${wireType}`)
  return { number, wireType, at: value.end, length: value.value }
}

/** Undefined when more bytes are needed. */
function readVarint(bytes: Buffer, from: number): { value: number; end: number } | undefined {
  let value = 0
  let scale = 1
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at] as number
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return { value, end: at + 1 }
    scale *= 128
    if (at - from >= 9) throw new GarbledError('a protobuf number without end')
  }
  return undefined
}
