// Reads the .BTF section of an object: the types of the C program as the kernel will see them.
// https://docs.kernel.org/bpf/btf.html
import { textAt } from './elf.ts'

export interface Member {
  readonly name: string
  readonly type: number
  readonly bitOffset: number
  /** Above 0 for a bit field. */
  readonly bitSize: number
}

/** A type by its id; `type` fields are ids of other types, 0 is void. */
export type BtfType =
  | { readonly kind: 'void' }
  | { readonly kind: 'int'; readonly name: string; readonly size: number; readonly signed: boolean }
  | { readonly kind: 'array'; readonly type: number; readonly length: number }
  | {
      readonly kind: 'struct' | 'union'
      readonly name: string
      readonly size: number
      readonly members: readonly Member[]
    }
  | {
      readonly kind: 'enum'
      readonly name: string
      readonly size: number
      readonly values: readonly { readonly name: string; readonly value: number }[]
    }
  /** Anything that only wraps another type. */
  | {
      readonly kind: 'pointer' | 'typedef' | 'qualifier' | 'function' | 'variable' | 'tag'
      readonly name: string
      readonly type: number
    }
  | {
      readonly kind: 'section'
      readonly name: string
      readonly size: number
      readonly variables: readonly number[]
    }
  | { readonly kind: 'other'; readonly name: string }

const MAGIC = 0xeb9f

/** Parses the section's bytes; the index of the result is the type id. Throws on damaged input. */
export function parseBtf(bytes: Uint8Array): BtfType[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 24 || view.getUint16(0, true) !== MAGIC) {
    throw new Error('Cannot parse BTF: not a little-endian BTF section')
  }
  const header = view.getUint32(4, true)
  const typesAt = header + view.getUint32(8, true)
  const typesEnd = typesAt + view.getUint32(12, true)
  const stringsAt = header + view.getUint32(16, true)
  const stringsEnd = stringsAt + view.getUint32(20, true)
  if (typesEnd > bytes.length || stringsEnd > bytes.length) {
    throw new Error('Cannot parse BTF: the section is shorter than its header says')
  }
  const strings = bytes.subarray(stringsAt, stringsEnd)
  const types: BtfType[] = [{ kind: 'void' }]
  const reader = new TypeReader(new DataView(bytes.buffer, bytes.byteOffset, typesEnd), strings)
  let at = typesAt
  while (at < typesEnd) {
    const { type, next } = reader.read(at)
    types.push(type)
    at = next
  }
  return types
}

interface Read {
  readonly type: BtfType
  /** Where the next type begins. */
  readonly next: number
}

/** One type at a time; a read past the section throws RangeError by DataView. */
class TypeReader {
  readonly #view: DataView
  readonly #strings: Uint8Array

  constructor(view: DataView, strings: Uint8Array) {
    this.#view = view
    this.#strings = strings
  }

  read(at: number): Read {
    const name = textAt(this.#strings, this.#u32(at))
    const word = this.#u32(at + 4)
    const length = word & 0xffff
    const kind = (word >>> 24) & 0x1f
    const bitFields = word >>> 31 === 1
    const sizeOrType = this.#u32(at + 8)
    const body = at + 12
    const wrap = (wrapper: Wrapper, bytes = 0): Read => ({
      type: { kind: wrapper, name, type: sizeOrType },
      next: body + bytes,
    })
    switch (kind) {
      case 1: {
        const signed = ((this.#u32(body) >>> 24) & 1) === 1
        return { type: { kind: 'int', name, size: sizeOrType, signed }, next: body + 4 }
      }
      case 2:
        return wrap('pointer')
      case 3: {
        const type = { kind: 'array', type: this.#u32(body), length: this.#u32(body + 8) } as const
        return { type, next: body + 12 }
      }
      case 4:
      case 5: {
        const members = this.#list(body, length, 12, (m) => this.#member(m, bitFields))
        const what = kind === 4 ? 'struct' : 'union'
        return { type: { kind: what, name, size: sizeOrType, members }, next: body + length * 12 }
      }
      case 6: {
        const values = this.#list(body, length, 8, (v) => ({
          name: this.#text(v),
          value: bitFields ? this.#view.getInt32(v + 4, true) : this.#u32(v + 4),
        }))
        return { type: { kind: 'enum', name, size: sizeOrType, values }, next: body + length * 8 }
      }
      case 8:
        return wrap('typedef')
      case 9:
      case 10:
      case 11:
        return wrap('qualifier')
      case 12:
        return wrap('function')
      case 14:
        return wrap('variable', 4)
      case 15: {
        const variables = this.#list(body, length, 12, (v) => this.#u32(v))
        const type = { kind: 'section', name, size: sizeOrType, variables } as const
        return { type, next: body + length * 12 }
      }
      case 17:
        return wrap('tag', 4)
      case 18:
        return wrap('qualifier')
      case 7:
      case 16:
        return { type: { kind: 'other', name }, next: body }
      case 13:
        return { type: { kind: 'other', name }, next: body + length * 8 }
      case 19:
        return { type: { kind: 'other', name }, next: body + length * 12 }
      default:
        throw new Error(`Cannot parse BTF: kind ${kind} of type "${name}" is unknown`)
    }
  }

  #member(at: number, bitFields: boolean): Member {
    const offset = this.#u32(at + 8)
    return {
      name: this.#text(at),
      type: this.#u32(at + 4),
      bitOffset: bitFields ? offset & 0xffffff : offset,
      bitSize: bitFields ? offset >>> 24 : 0,
    }
  }

  #list<T>(at: number, length: number, stride: number, read: (at: number) => T): T[] {
    return Array.from({ length }, (_, index) => read(at + index * stride))
  }

  #text(at: number): string {
    return textAt(this.#strings, this.#u32(at))
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true)
  }
}

type Wrapper = 'pointer' | 'typedef' | 'qualifier' | 'function' | 'variable' | 'tag'
