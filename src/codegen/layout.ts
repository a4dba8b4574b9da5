// BTF to the layout that the agent shares with the programs: structs, enums, maps and globals.
// Byte order comes from the typedef's name (__be16), for BTF integers carry none.
import { createHash } from 'node:crypto'
import { type BtfType, type Member, parseBtf } from './btf.ts'

export type FieldType =
  | {
      readonly kind: 'int'
      readonly size: number
      readonly signed: boolean
      readonly bigEndian: boolean
    }
  | { readonly kind: 'bytes'; readonly length: number }
  | { readonly kind: 'struct'; readonly name: string; readonly size: number }
  | { readonly kind: 'array'; readonly of: FieldType; readonly length: number }

export interface Field {
  readonly name: string
  readonly offset: number
  readonly type: FieldType
}

export interface Struct {
  readonly name: string
  readonly size: number
  readonly fields: readonly Field[]
}

export interface Enum {
  readonly name: string
  readonly values: readonly { readonly name: string; readonly value: number }[]
}

export interface MapLayout {
  readonly name: string
  /** Number of the map type as in linux/bpf.h. */
  readonly type: number
  readonly maxEntries: number
  readonly flags: number
  readonly key?: FieldType
  readonly value?: FieldType
}

export interface Global {
  readonly name: string
  readonly section: string
  readonly type: FieldType
}

/** Everything in order of name, so that the order of includes changes nothing. */
export interface Layout {
  readonly structs: readonly Struct[]
  readonly enums: readonly Enum[]
  readonly maps: readonly MapLayout[]
  readonly globals: readonly Global[]
}

/**
 * Hash of the layout in an object's BTF (bytes of its .BTF section), to compare with OBJECT_HASH.
 * Code and comments do not change it; a field, a map or an enum value does.
 */
export function btfHash(bytes: Uint8Array): string {
  return layoutHash(readLayout(parseBtf(bytes)))
}

export function layoutHash(layout: Layout): string {
  return createHash('sha256').update(JSON.stringify(layout)).digest('hex').slice(0, 32)
}

/** Types meet the agent as map keys and values, as globals, and through section .export. */
export function readLayout(types: readonly BtfType[]): Layout {
  return new LayoutReader(types).read()
}

/** Globals of this section only show types that no map holds; the section is not loaded. */
const EXPORTS = '.export'
class LayoutReader {
  readonly #types: readonly BtfType[]
  readonly #structs = new Map<string, Struct>()
  readonly #enums = new Map<string, Enum>()
  readonly #maps: MapLayout[] = []
  readonly #globals: Global[] = []

  constructor(types: readonly BtfType[]) {
    this.#types = types
  }

  read(): Layout {
    for (const type of this.#types) {
      if (type.kind === 'section') this.#section(type.name, type.variables)
    }
    const structs = [...this.#structs.values()].sort(byName)
    const enums = [...this.#enums.values()].sort(byName)
    return { structs, enums, maps: this.#maps.sort(byName), globals: this.#globals.sort(byName) }
  }

  #section(section: string, variables: readonly number[]): void {
    for (const id of variables) {
      const variable = this.#types[id]
      if (variable?.kind !== 'variable') continue
      if (section === '.maps') this.#maps.push(this.#map(variable.name, variable.type))
      else if (section === EXPORTS) this.#fieldType(variable.type, variable.name)
      else if (/^\.(rodata|data|bss)/.test(section)) {
        const type = this.#fieldType(variable.type, variable.name)
        this.#globals.push({ name: variable.name, section, type })
      }
    }
  }

  /** libbpf's convention: numbers are the lengths of arrays pointed to, types are pointed to. */
  #map(name: string, id: number): MapLayout {
    const definition = this.#resolve(id)
    if (definition.kind !== 'struct') throw new Error(`Cannot read map ${name}: not a struct`)
    const number = (field: string): number => {
      const pointee = this.#pointee(definition.members, field)
      const array = pointee === undefined ? undefined : this.#resolve(pointee)
      return array?.kind === 'array' ? array.length : 0
    }
    const key = this.#pointee(definition.members, 'key')
    const value = this.#pointee(definition.members, 'value')
    return {
      name,
      type: number('type'),
      maxEntries: number('max_entries'),
      flags: number('map_flags'),
      ...(key === undefined ? {} : { key: this.#fieldType(key, `${name}.key`) }),
      ...(value === undefined ? {} : { value: this.#fieldType(value, `${name}.value`) }),
    }
  }

  #pointee(members: readonly Member[], field: string): number | undefined {
    const member = members.find(({ name }) => name === field)
    const pointer = member && this.#resolve(member.type)
    return pointer?.kind === 'pointer' ? pointer.type : undefined
  }

  /** The layout of a type; structs and enums on the way are collected. `where` is for errors. */
  #fieldType(id: number, where: string): FieldType {
    const bigEndian = this.#isBigEndian(id)
    const type = this.#resolve(id)
    switch (type.kind) {
      case 'int':
        if (![1, 2, 4, 8].includes(type.size)) break
        return { kind: 'int', size: type.size, signed: type.signed, bigEndian }
      case 'enum':
        if (type.name) this.#enums.set(type.name, { name: type.name, values: type.values })
        return { kind: 'int', size: type.size, signed: false, bigEndian: false }
      case 'array': {
        const of = this.#fieldType(type.type, where)
        const bytes = of.kind === 'int' && of.size === 1
        if (bytes) return { kind: 'bytes', length: type.length }
        return { kind: 'array', of, length: type.length }
      }
      case 'struct':
        if (!type.name) break
        this.#struct(type.name, type.size, type.members)
        return { kind: 'struct', name: type.name, size: type.size }
    }
    const what = `${type.kind} ${'name' in type ? type.name : ''}`.trim()
    throw new Error(`Cannot encode ${where}: ${what} has no fixed layout, use plain fields`)
  }

  #struct(name: string, size: number, members: readonly Member[]): void {
    if (this.#structs.has(name)) return
    this.#structs.set(name, { name, size, fields: [] })
    let end = 0
    const fields = members.map((member) => {
      const where = `${name}.${member.name}`
      if (member.bitSize > 0) throw new Error(`Cannot encode ${where}: it is a bit field`)
      const offset = member.bitOffset / 8
      refusePadding(name, offset - end, `before ${member.name}`)
      const type = this.#fieldType(member.type, where)
      end = offset + sizeOf(type)
      return { name: member.name, offset, type }
    })
    refusePadding(name, size - end, 'at the end')
    this.#structs.set(name, { name, size, fields })
  }

  #isBigEndian(id: number): boolean {
    const type = this.#types[id]
    if (type?.kind === 'typedef' && /^__be(16|32|64)$/.test(type.name)) return true
    if (type?.kind !== 'typedef' && type?.kind !== 'qualifier' && type?.kind !== 'tag') return false
    return this.#isBigEndian(type.type)
  }

  /** What remains when names and qualifiers are taken off. */
  #resolve(id: number): BtfType {
    const type = this.#types[id]
    if (!type) throw new Error(`Cannot read BTF: type ${id} does not exist`)
    const wraps = type.kind === 'typedef' || type.kind === 'qualifier' || type.kind === 'tag'
    return wraps ? this.#resolve(type.type) : type
  }
}

export function sizeOf(type: FieldType): number {
  switch (type.kind) {
    case 'int':
    case 'struct':
      return type.size
    case 'bytes':
      return type.length
    case 'array':
      return type.length * sizeOf(type.of)
  }
}

/** Hidden bytes are never initialised: a key with them misses its entry. */
function refusePadding(struct: string, bytes: number, where: string): void {
  if (bytes === 0) return
  throw new Error(`Cannot encode ${struct}: ${bytes} hidden bytes ${where}, add an explicit pad`)
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
