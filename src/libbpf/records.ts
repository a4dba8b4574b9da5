// Reading the fixed structs of native/binding/weir.h: host order, which is little-endian on every
// machine this runs on.

/** A view of the same memory. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A NUL-padded name of at most `room` bytes. */
export function readText(bytes: Uint8Array, at: number, room: number): string {
  const field = Buffer.from(bytes.buffer, bytes.byteOffset + at, room)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? room : end)
}

/** `count` consecutive 32-bit numbers from `at` on. */
export function readWords(view: DataView, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => view.getUint32(at + i * 4, true))
}
