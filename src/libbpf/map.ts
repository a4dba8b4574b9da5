// A BPF map: bytes in, bytes out. The native side copies as many bytes as the map's sizes say, so
// every key and value is measured here first.
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { openPin, pinFd } from './bpffs.ts'
import { check, KernelError } from './errors.ts'
import { isPerCpu, type MapType, mapTypeName, mapTypeNumber } from './kinds.ts'
import type { Library } from './library.ts'
import { readText, readWords, viewOf } from './records.ts'

export interface MapCreation {
  readonly type: MapType
  readonly name: string
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags?: number
}

export type MapEntry = readonly [key: Uint8Array, value: Uint8Array]
export type UpdateMode = 'any' | 'noexist' | 'exist'

const UPDATE_FLAGS: Readonly<Record<UpdateMode, number>> = { any: 0, noexist: 1, exist: 2 }
const { E2BIG, ENOENT, ENOSPC } = constants.errno
const INFO_SIZE = 48
const CHUNK_BYTES = 256 * 1024

/** `BPF_F_NO_PREALLOC`, which LPM tries demand. */
export const NO_PREALLOC = 1

/** An open map. Owns its fd: close() it; what is pinned or used by a program lives on. */
export class BpfMap {
  readonly fd: number
  readonly id: number
  readonly name: string
  readonly type: MapType
  readonly keySize: number
  /** As declared; see valueBytes for what lookups and updates carry. */
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  readonly possibleCpus: number
  /** Bytes of one entry's value: for a per-CPU map, valueSize rounded up to 8, times the CPUs. */
  readonly valueBytes: number
  readonly #library: Library

  /** Takes over the fd. `name` replaces the kernel's, which is cut to 15 characters. */
  constructor(library: Library, fd: number, name?: string) {
    const bytes = new Uint8Array(INFO_SIZE)
    check(library.native.weir_map_info(fd, bytes), 'read the facts of', `map ${name ?? fd}`)
    const words = readWords(viewOf(bytes), 16, 7)
    const [id = 0, type = 0, keySize = 0, valueSize = 0, maxEntries = 0, flags = 0, cpus = 0] =
      words
    this.#library = library
    this.fd = fd
    this.id = id
    this.name = name ?? readText(bytes, 0, 16)
    this.type = mapTypeName(type)
    this.keySize = keySize
    this.valueSize = valueSize
    this.maxEntries = maxEntries
    this.flags = flags
    this.possibleCpus = cpus
    this.valueBytes = isPerCpu(this.type) ? Math.ceil(valueSize / 8) * 8 * cpus : valueSize
  }

  static openPinned(library: Library, path: string): BpfMap {
    return new BpfMap(library, openPin(library, path))
  }

  static create(library: Library, map: MapCreation): BpfMap {
    const { name, keySize, valueSize, maxEntries, flags = 0 } = map
    const type = mapTypeNumber(map.type)
    const fd = library.native.weir_map_create(type, name, keySize, valueSize, maxEntries, flags)
    return new BpfMap(library, check(fd, 'create', `map ${name}`), name)
  }

  /** A copy of the value, or undefined when the key is absent. */
  lookup(key: Uint8Array): Uint8Array | undefined {
    const value = new Uint8Array(this.valueBytes)
    const answer = this.#library.native.weir_map_lookup(this.fd, this.#key(key), value)
    if (answer === -ENOENT) return undefined
    this.#check(answer, 'look up in')
    return value
  }

  /** 'noexist' throws EEXIST when the key is there, 'exist' throws ENOENT when it is not. */
  update(key: Uint8Array, value: Uint8Array, mode: UpdateMode = 'any'): void {
    const { native } = this.#library
    const flags = UPDATE_FLAGS[mode]
    this.#check(
      native.weir_map_update(this.fd, this.#key(key), this.#value(value), flags),
      'update',
    )
  }

  /** False: the key was absent. */
  delete(key: Uint8Array): boolean {
    const answer = this.#library.native.weir_map_delete(this.fd, this.#key(key))
    if (answer === -ENOENT) return false
    this.#check(answer, 'delete from')
    return true
  }

  /** Values of keys that follow each other in `keys`, in one native call; views of one buffer. */
  lookupPacked(keys: Uint8Array): (Uint8Array | undefined)[] {
    const { keySize, valueBytes } = this
    const count = this.#countOf(keys)
    const values = new Uint8Array(count * valueBytes)
    const found = new Uint8Array(count)
    const { native } = this.#library
    this.#check(
      native.weir_map_lookup_many(this.fd, keys, values, keySize, valueBytes, count, found),
      'look up in',
    )
    return Array.from(found, (is, i) =>
      is ? values.subarray(i * valueBytes, (i + 1) * valueBytes) : undefined,
    )
  }

  /** Writes all, in one native call. The answer holds what failed, by index; the rest is done. */
  updateMany(entries: readonly MapEntry[]): Map<number, KernelError> {
    const keys = new Uint8Array(entries.length * this.keySize)
    const values = new Uint8Array(entries.length * this.valueBytes)
    entries.forEach(([key, value], i) => {
      keys.set(this.#key(key), i * this.keySize)
      values.set(this.#value(value), i * this.valueBytes)
    })
    return this.updatePacked(keys, values)
  }

  /** The same with keys and values that follow each other. */
  updatePacked(keys: Uint8Array, values: Uint8Array): Map<number, KernelError> {
    const { keySize, valueBytes } = this
    const count = this.#countOf(keys)
    this.#measured(values, count * valueBytes, 'values')
    const errors = new Uint8Array(count * 4)
    const failures = new Map<number, KernelError>()
    const { native } = this.#library
    const failed = native.weir_map_update_many(
      this.fd,
      ...([keys, values, keySize, valueBytes, count, errors] as const),
    )
    const view = viewOf(errors)
    for (let i = 0; failures.size < failed && i < count; i++) {
      const errno = -view.getInt32(i * 4, true)
      if (errno !== 0) failures.set(i, this.#error(errno, 'update'))
    }
    return failures
  }

  /** Deletes all, in one native call; absent keys are fine. Throws the first failure, after all. */
  deleteMany(keys: readonly Uint8Array[]): void {
    const packed = new Uint8Array(keys.length * this.keySize)
    for (const [i, key] of keys.entries()) packed.set(this.#key(key), i * this.keySize)
    this.deletePacked(packed)
  }

  /** The same with keys that follow each other. */
  deletePacked(keys: Uint8Array): void {
    const { native } = this.#library
    const count = this.#countOf(keys)
    this.#check(native.weir_map_delete_many(this.fd, keys, this.keySize, count), 'delete from')
  }

  /**
   * Every entry, read in chunks. Entries that change meanwhile may be missed or seen twice, as the
   * kernel has it. The arrays are views of the chunk: copy what you keep for long.
   */
  *entries(): IterableIterator<MapEntry> {
    const { keySize, valueBytes } = this
    const cursor = new Uint8Array(Math.max(keySize, 8))
    const fits = Math.floor(CHUNK_BYTES / (keySize + valueBytes))
    let room = Math.max(1, Math.min(this.maxEntries, fits))
    let first = true
    for (let more = 1; more === 1; ) {
      const chunk = this.#read(cursor, first, room)
      more = chunk.answer
      if (more === -ENOSPC && room < this.maxEntries) {
        // One bucket of the hash holds more than the chunk has room for.
        room = Math.min(room * 2, this.maxEntries)
        more = 1
        continue
      }
      this.#check(more, 'read')
      first = false
      for (let i = 0; i < chunk.count; i++) {
        const key = chunk.keys.subarray(i * keySize, (i + 1) * keySize)
        yield [key, chunk.values.subarray(i * valueBytes, (i + 1) * valueBytes)]
      }
    }
  }

  #read(cursor: Uint8Array, first: boolean, room: number) {
    const keys = new Uint8Array(room * this.keySize)
    const values = new Uint8Array(room * this.valueBytes)
    const count = new Uint8Array(4)
    viewOf(count).setUint32(0, room, true)
    const answer = this.#library.native.weir_map_read(
      this.fd,
      cursor,
      Number(first),
      keys,
      values,
      this.keySize,
      this.valueBytes,
      count,
    )
    return { answer, keys, values, count: viewOf(count).getUint32(0, true) }
  }

  pin(path: string): void {
    pinFd(this.#library, this.fd, `map ${this.name}`, path)
  }

  close(): void {
    closeSync(this.fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #countOf(keys: Uint8Array): number {
    const count = Math.floor(keys.length / this.keySize)
    this.#measured(keys, count * this.keySize, 'keys')
    return count
  }

  #key(key: Uint8Array): Uint8Array {
    return this.#measured(key, this.keySize, 'key')
  }

  #value(value: Uint8Array): Uint8Array {
    return this.#measured(value, this.valueBytes, 'value')
  }

  #measured(bytes: Uint8Array, size: number, what: string): Uint8Array {
    if (bytes.length === size) return bytes
    throw new RangeError(
      `Cannot use ${what} of ${bytes.length} bytes in map ${this.name}: it has ${size} bytes`,
    )
  }

  #check(answer: number, operation: string): void {
    if (answer < 0) throw this.#error(-answer, operation)
  }

  #error(errno: number, operation: string): KernelError {
    const facts = { errno, operation, object: `map ${this.name}` }
    const isFull = operation === 'update' && (errno === E2BIG || errno === ENOSPC)
    if (!isFull || this.type.includes('array')) return new KernelError(facts)
    return new KernelError({ ...facts, reason: `map is full (${this.maxEntries} entries)` })
  }
}
