// Finds one section of a 64-bit little-endian ELF file. libbpf patches the BTF it has read (sizes
// and offsets of data sections), so whoever wants the compiler's bytes must take them from here.
import { viewOf } from './records.ts'

const HEADER_SIZE = 64
const MAGIC = 0x7f454c46

/** The section's bytes (a view), or undefined when there is none. Throws when it is no ELF file. */
export function elfSection(file: Uint8Array, name: string): Uint8Array | undefined {
  const view = viewOf(file)
  if (file.length < HEADER_SIZE || view.getUint32(0) !== MAGIC) {
    throw new Error('Cannot read ELF file: it has no ELF header')
  }
  const table = Number(view.getBigUint64(40, true))
  const [entrySize, count, namesIndex] = [58, 60, 62].map((at) => view.getUint16(at, true))
  const header = (index: number) => table + index * (entrySize ?? 0)
  const place = (index: number) => ({
    offset: Number(view.getBigUint64(header(index) + 24, true)),
    size: Number(view.getBigUint64(header(index) + 32, true)),
  })
  const names = place(namesIndex ?? 0).offset
  for (let index = 0; index < (count ?? 0); index++) {
    if (textAt(file, names + view.getUint32(header(index), true)) !== name) continue
    const { offset, size } = place(index)
    return file.subarray(offset, offset + size)
  }
  return undefined
}

function textAt(file: Uint8Array, at: number): string {
  const end = file.indexOf(0, at)
  return Buffer.from(file.buffer, file.byteOffset + at, end - at).toString('latin1')
}
