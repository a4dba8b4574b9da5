// What a codec is; the codecs themselves are generated from the compiled programs (layout.gen.ts).
import { type Mac, macFromBytes, macToBytes } from '../net/mac.ts'

const MAC_SIZE = 6

/** Values of T as the kernel's bytes, `size` of them. */
export interface Codec<T> {
  readonly size: number
  /** Writes `size` bytes at `at`, pads included. */
  encode(view: DataView, at: number, value: T): void
  decode(view: DataView, at: number): T
  /** A whole value alone. */
  toBytes(value: T): Uint8Array
  /** The mirror of toBytes. Throws unless the length is `size`. */
  fromBytes(bytes: Uint8Array): T
}

/** A map of the object, with the codecs of its key and value. */
export interface MapLayout<K, V> {
  readonly name: string
  readonly type: string
  readonly maxEntries: number
  readonly flags: number
  readonly key: Codec<K>
  readonly value: Codec<V>
}

/** Completes a codec made of encode and decode. */
export function defineCodec<T>(
  size: number,
  encode: (view: DataView, at: number, value: T) => void,
  decode: (view: DataView, at: number) => T,
): Codec<T> {
  const toBytes = (value: T): Uint8Array => {
    const bytes = new Uint8Array(size)
    encode(new DataView(bytes.buffer), 0, value)
    return bytes
  }
  const fromBytes = (bytes: Uint8Array): T => {
    if (bytes.length !== size) {
      throw new Error(`Cannot decode ${bytes.length} bytes: the struct has ${size}`)
    }
    return decode(new DataView(bytes.buffer, bytes.byteOffset, size), 0)
  }
  return { size, encode, decode, toBytes, fromBytes }
}

/** The bytes of all values, one after another. */
export function pack<T>({ size, encode }: Codec<T>, values: readonly T[]): Uint8Array {
  const bytes = new Uint8Array(values.length * size)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    encode(view, i * size, value)
  })
  return bytes
}

/** Copies the bytes of a fixed array in. Throws on another length. */
export function putBytes(view: DataView, at: number, length: number, bytes: Uint8Array): void {
  if (bytes.length !== length) {
    throw new Error(`Cannot encode ${bytes.length} bytes: the field has ${length}`)
  }
  new Uint8Array(view.buffer, view.byteOffset + at, length).set(bytes)
}

export function putZeroes(view: DataView, at: number, length: number): void {
  for (let i = 0; i < length; i++) view.setUint8(at + i, 0)
}

export function putMac(view: DataView, at: number, mac: Mac): void {
  putBytes(view, at, MAC_SIZE, macToBytes(mac))
}

export function takeMac(view: DataView, at: number): Mac {
  return macFromBytes(takeBytes(view, at, MAC_SIZE))
}

/** A copy of the bytes of a fixed array. */
export function takeBytes(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length).slice()
}

/** Calls for each element of a fixed array. Throws on another length. */
export function eachOf<T>(
  values: readonly T[],
  length: number,
  put: (value: T, index: number) => void,
): void {
  if (values.length !== length) {
    throw new Error(`Cannot encode ${values.length} elements: the field has ${length}`)
  }
  values.forEach(put)
}
