// Assembles BTF sections by hand, so that the reader is tested without a compiler.
import { concat } from '../../src/net/bytes.ts'

const u32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

export interface MemberSpec {
  readonly name: string
  readonly type: number
  /** In bits. */
  readonly offset: number
}

/** Types get ids from 1 in the order of the calls. */
export class BtfBuilder {
  #strings: number[] = [0]
  #types: Uint8Array[] = []

  int(name: string, size: number, { signed = false } = {}): number {
    const encoding = ((signed ? 1 : 0) << 24) | (size * 8)
    return this.#add({ name, kind: 1, word: size, body: [u32(encoding)] })
  }

  pointer(type: number): number {
    return this.#add({ kind: 2, word: type })
  }

  array(type: number, length: number): number {
    return this.#add({ kind: 3, word: 0, body: [u32(type), u32(type), u32(length)] })
  }

  struct(
    name: string,
    size: number,
    members: readonly MemberSpec[],
    { union = false } = {},
  ): number {
    const body = members.flatMap((m) => [u32(this.#text(m.name)), u32(m.type), u32(m.offset)])
    return this.#add({ name, kind: union ? 5 : 4, word: size, length: members.length, body })
  }

  /** One bit field of one bit. */
  bitField(name: string, type: number): number {
    const body = [u32(this.#text('bit')), u32(type), u32((1 << 24) | 0)]
    return this.#add({ name, kind: 4, word: 4, length: 1, body, flag: true })
  }

  enum(name: string, values: Readonly<Record<string, number>>): number {
    const entries = Object.entries(values)
    const body = entries.flatMap(([text, value]) => [u32(this.#text(text)), u32(value)])
    return this.#add({ name, kind: 6, word: 4, length: entries.length, body })
  }

  typedef(name: string, type: number): number {
    return this.#add({ name, kind: 8, word: type })
  }

  constant(type: number): number {
    return this.#add({ kind: 10, word: type })
  }

  variable(name: string, type: number): number {
    return this.#add({ name, kind: 14, word: type, body: [u32(1)] })
  }

  section(name: string, variables: readonly number[]): number {
    const body = variables.flatMap((variable) => [u32(variable), u32(0), u32(0)])
    return this.#add({ name, kind: 15, word: 0, length: variables.length, body })
  }

  /** A map as libbpf's macros declare it; goes into the section ".maps". */
  map(
    name: string,
    spec: { type: number; maxEntries: number; key: number; value: number },
  ): number {
    const number = (value: number): number => this.pointer(this.array(spec.key, value))
    const fields = [
      ['type', number(spec.type)],
      ['max_entries', number(spec.maxEntries)],
      ['key', this.pointer(spec.key)],
      ['value', this.pointer(spec.value)],
    ] as const
    const members = fields.map(([field, type], i) => ({ name: field, type, offset: i * 64 }))
    return this.variable(name, this.struct('', 32, members))
  }

  bytes(): Uint8Array {
    const types = concat(...this.#types)
    const strings = Uint8Array.from(this.#strings)
    const header = concat(
      Uint8Array.of(0x9f, 0xeb, 1, 0),
      ...[24, 0, types.length, types.length, strings.length].map(u32),
    )
    return concat(header, types, strings)
  }

  #add(spec: {
    readonly name?: string
    readonly kind: number
    readonly word: number
    readonly length?: number
    readonly body?: readonly Uint8Array[]
    readonly flag?: boolean
  }): number {
    const { name = '', kind, word, length = 0, body = [], flag = false } = spec
    const flags = ((flag ? 0x80000000 : 0) | (kind << 24) | length) >>> 0
    this.#types.push(concat(u32(this.#text(name)), u32(flags), u32(word), ...body))
    return this.#types.length
  }

  #text(text: string): number {
    if (!text) return 0
    const at = this.#strings.length
    this.#strings.push(...new TextEncoder().encode(text), 0)
    return at
  }
}
