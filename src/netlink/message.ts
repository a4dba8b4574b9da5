// Building rtnetlink messages: a header, a fixed struct, then attributes that may nest. Numbers are
// in host order (little-endian) except where an attribute is documented as big-endian.

const HEADER_SIZE = 16
const NESTED = 0x8000

export const FLAGS = {
  request: 0x1,
  acknowledge: 0x4,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  dump: 0x300,
} as const

/** One message to be sent, and the words with which its failure is told. */
export interface Request {
  /** Whole message; the sequence number is filled in when it is sent. */
  readonly bytes: Uint8Array
  /** A verb: "add". */
  readonly operation: string
  /** "route 10.0.1.0/24". */
  readonly object: string
}

export interface RequestParts {
  readonly type: number
  /** Beside request and acknowledge. */
  readonly flags?: number
  /** The family's fixed struct, such as ifinfomsg. */
  readonly fixed: Uint8Array
  readonly attributes?: readonly Uint8Array[]
  readonly operation: string
  readonly object: string
}

/** A request, complete but for its sequence number. */
export function request(parts: RequestParts): Request {
  const { type, flags = 0, fixed, attributes = [], operation, object } = parts
  const body = Buffer.concat([fixed, ...attributes])
  const bytes = Buffer.alloc(HEADER_SIZE + body.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt16LE(type, 4)
  const always = (flags & FLAGS.dump) === FLAGS.dump ? 0 : FLAGS.acknowledge
  bytes.writeUInt16LE(flags | FLAGS.request | always, 6)
  bytes.set(body, HEADER_SIZE)
  return { bytes, operation, object }
}

/** An attribute, padded to 4 bytes. */
export function attribute(type: number, payload: Uint8Array): Uint8Array {
  const length = 4 + payload.length
  const bytes = Buffer.alloc(Math.ceil(length / 4) * 4)
  bytes.writeUInt16LE(length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(payload, 4)
  return bytes
}

export function nested(type: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  return attribute(type | NESTED, Buffer.concat(attributes))
}

export function uint8Attribute(type: number, value: number): Uint8Array {
  return attribute(type, Uint8Array.of(value))
}

/** Big-endian, as ports are. */
export function uint16BeAttribute(type: number, value: number): Uint8Array {
  return attribute(type, Uint8Array.of(value >>> 8, value & 0xff))
}

export function uint32Attribute(type: number, value: number): Uint8Array {
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(value)
  return attribute(type, payload)
}

/** NUL-terminated text. */
export function textAttribute(type: number, value: string): Uint8Array {
  return attribute(type, Buffer.from(`${value}\0`))
}

/** The attributes that are there: `[when(mtu, (m) => uint32Attribute(4, m))]` flattened. */
export function when<T>(value: T | undefined, build: (value: T) => Uint8Array): Uint8Array[] {
  return value === undefined ? [] : [build(value)]
}
