// Taking rtnetlink messages apart. All byte arrays are views of what was received.
import { viewOf } from '../libbpf/records.ts'

const HEADER_SIZE = 16
const TYPE_MASK = 0x3fff

export const MESSAGE_TYPES = { error: 2, done: 3 } as const

export interface Message {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** What follows the header: the family's fixed struct, then attributes. */
  readonly body: Uint8Array
}

/** The messages of a buffer, in order. Throws when the last is cut off. */
export function parseMessages(bytes: Uint8Array): Message[] {
  const view = viewOf(bytes)
  const messages: Message[] = []
  for (let at = 0; at + HEADER_SIZE <= bytes.length; ) {
    const length = view.getUint32(at, true)
    if (length < HEADER_SIZE || at + length > bytes.length) {
      throw new Error(`Cannot parse netlink message: ${length} bytes at ${at} of ${bytes.length}`)
    }
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: bytes.subarray(at + HEADER_SIZE, at + length),
    })
    at += Math.ceil(length / 4) * 4
  }
  return messages
}

/** Attributes by type, with typed readers that answer undefined for the absent. */
export class Attributes {
  readonly #payloads = new Map<number, Uint8Array>()

  /** Reads from `offset` to the end; of a repeated type the last one counts. */
  constructor(bytes: Uint8Array, offset = 0) {
    const view = viewOf(bytes)
    for (let at = offset; at + 4 <= bytes.length; ) {
      const length = view.getUint16(at, true)
      if (length < 4 || at + length > bytes.length) break
      const type = view.getUint16(at + 2, true) & TYPE_MASK
      this.#payloads.set(type, bytes.subarray(at + 4, at + length))
      at += Math.ceil(length / 4) * 4
    }
  }

  bytes(type: number): Uint8Array | undefined {
    return this.#payloads.get(type)
  }

  uint32(type: number): number | undefined {
    const payload = this.#payloads.get(type)
    return payload && viewOf(payload).getUint32(0, true)
  }

  int32(type: number): number | undefined {
    const payload = this.#payloads.get(type)
    return payload && viewOf(payload).getInt32(0, true)
  }

  uint8(type: number): number | undefined {
    return this.#payloads.get(type)?.[0]
  }

  text(type: number): string | undefined {
    const payload = this.#payloads.get(type)
    if (payload === undefined) return undefined
    const end = payload.indexOf(0)
    return Buffer.from(end < 0 ? payload : payload.subarray(0, end)).toString()
  }

  /** A nested attribute's own attributes; empty when it is absent. */
  nested(type: number): Attributes {
    return new Attributes(this.#payloads.get(type) ?? new Uint8Array(0))
  }
}
