// A list in JSON, item by item as its bytes arrive: the text of hundreds of megabytes is never held
// or parsed at once. Everything outside the items is kept and parsed at the end, which also proves
// that the answer was whole.
import { GarbledError } from './errors.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
/** Depth of the list's own fields, and of its items. */
const FIELDS = 1
const ITEMS = 2
const MAX_ENVELOPE_BYTES = 1 << 20

export class JsonListSplitter {
  #depth = 0
  #inString = false
  #escaped = false
  #inItems = false
  /** Text of the item that is begun. */
  #item: Buffer[] = []
  /** Text outside of items. */
  #envelope = '';

  /** Texts of the items that this chunk completes. Throws GarbledError. */
  *push(chunk: Buffer): Generator<Buffer> {
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) this.#inString = false
      } else if (byte === QUOTE) this.#inString = true
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        if (this.#inItems && this.#depth === ITEMS) start = this.#beginItem(byte, at)
        this.#depth++
        if (byte === OPEN_ARRAY && this.#depth === ITEMS && !this.#inItems) {
          const text = this.#envelope + chunk.toString('latin1', start, at)
          if (/"items"\s*:\s*$/.test(text)) {
            this.#keepEnvelope(chunk.subarray(start, at + 1))
            this.#inItems = true
            start = at + 1
          }
        }
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        this.#depth--
        if (this.#inItems && this.#depth === ITEMS) {
          yield Buffer.concat([...this.#item, chunk.subarray(start, at + 1)])
          this.#item = []
          start = at + 1
        } else if (this.#inItems && this.#depth === FIELDS) {
          this.#inItems = false
          start = at
        }
      } else if (this.#inItems && this.#depth === ITEMS && byte > 0x20 && byte !== COMMA) {
        throw new GarbledError('an item that is no object')
      }
    }
    if (this.#inItems && this.#depth === ITEMS) return
    if (this.#inItems) this.#item.push(chunk.subarray(start))
    else this.#keepEnvelope(chunk.subarray(start))
  }

  /** What is around the items. Throws GarbledError when the list is not whole. */
  end(): unknown {
    try {
      return JSON.parse(Buffer.from(this.#envelope, 'latin1').toString())
    } catch (error) {
      throw new GarbledError('a list in JSON that is not whole', { cause: error })
    }
  }

  #beginItem(byte: number, at: number): number {
    if (byte !== OPEN_OBJECT) throw new GarbledError('an item that is no object')
    return at
  }

  #keepEnvelope(text: Buffer): void {
    this.#envelope += text.toString('latin1')
    if (this.#envelope.length > MAX_ENVELOPE_BYTES) throw new GarbledError('a list without items')
  }
}
