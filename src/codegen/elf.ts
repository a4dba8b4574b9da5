// Reads sections and symbols of a 64-bit little-endian ELF file, as clang writes for BPF.

export interface ElfSymbol {
  readonly name: string
  readonly section: string
  /** Bytes from the start of the section. */
  readonly offset: number
  readonly size: number
}

export interface Elf {
  readonly sections: ReadonlyMap<string, Uint8Array>
  readonly symbols: readonly ElfSymbol[]
}

const SECTION_HEADER_BYTES = 64
const SYMBOL_BYTES = 24
const SHT_SYMTAB = 2
const SHT_NOBITS = 8

/** Parses the file. Throws when it is no such ELF file. */
export function parseElf(file: Uint8Array): Elf {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < 64 || view.getUint32(0) !== 0x7f454c46 || view.getUint16(4) !== 0x0201) {
    throw new Error('Cannot parse object: not a 64-bit little-endian ELF file')
  }
  const headersAt = Number(view.getBigUint64(40, true))
  const count = view.getUint16(60, true)
  const headers = Array.from({ length: count }, (_, index) =>
    readHeader(view, headersAt + index * SECTION_HEADER_BYTES),
  )
  const names = headers[view.getUint16(62, true)]
  if (!names) throw new Error('Cannot parse object: no section names')
  const nameOf = (header: Header): string => textAt(file, names.offset + header.name)
  const sections = new Map<string, Uint8Array>()
  for (const header of headers) {
    if (header.type === SHT_NOBITS) continue
    sections.set(nameOf(header), file.subarray(header.offset, header.offset + header.size))
  }
  const symbols: ElfSymbol[] = []
  for (const table of headers.filter(({ type }) => type === SHT_SYMTAB)) {
    const strings = headers[table.link]
    if (!strings) throw new Error('Cannot parse object: symbols without names')
    for (let at = table.offset; at < table.offset + table.size; at += SYMBOL_BYTES) {
      const section = headers[view.getUint16(at + 6, true)]
      if (!section) continue
      symbols.push({
        name: textAt(file, strings.offset + view.getUint32(at, true)),
        section: nameOf(section),
        offset: Number(view.getBigUint64(at + 8, true)),
        size: Number(view.getBigUint64(at + 16, true)),
      })
    }
  }
  return { sections, symbols }
}

interface Header {
  readonly name: number
  readonly type: number
  readonly offset: number
  readonly size: number
  readonly link: number
}

function readHeader(view: DataView, at: number): Header {
  return {
    name: view.getUint32(at, true),
    type: view.getUint32(at + 4, true),
    offset: Number(view.getBigUint64(at + 24, true)),
    size: Number(view.getBigUint64(at + 32, true)),
    link: view.getUint32(at + 40, true),
  }
}

/** The zero-terminated text at an offset. */
export function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at)
  return new TextDecoder().decode(bytes.subarray(at, end < 0 ? bytes.length : end))
}
