// A compiled BPF object: spec first, kernel last. Opening parses the file; the setters change what
// will be loaded; load() makes maps and programs, all or nothing.
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { elfSection } from './elf.ts'
import { check, KernelError, lastLines, VerifierError } from './errors.ts'
import { type MapType, mapTypeName } from './kinds.ts'
import type { Library } from './library.ts'
import { BpfMap } from './map.ts'
import { Program } from './program.ts'
import { readText, readWords, viewOf } from './records.ts'

export interface MapSpec {
  /** A data section is called by its section's name: ".rodata", ".data.x". */
  readonly name: string
  readonly type: MapType
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  readonly isSection: boolean
}

export interface ProgramSpec {
  readonly name: string
  /** As written in SEC(): "tc", "cgroup/connect4". */
  readonly section: string
}

const NAME_SIZE = 64
const MAP_SPEC_SIZE = NAME_SIZE + 6 * 4
const PROGRAM_SPEC_SIZE = 2 * NAME_SIZE

export class BpfObject {
  readonly path: string
  readonly maps: readonly MapSpec[]
  readonly programs: readonly ProgramSpec[]
  readonly #library: Library
  #handle: number

  private constructor(library: Library, path: string, handle: number) {
    this.#library = library
    this.#handle = handle
    this.path = path
    this.maps = readMapSpecs(library, handle)
    this.programs = readProgramSpecs(library, handle)
  }

  /** Parses the ELF file; touches no kernel. */
  static open(library: Library, path: string): BpfObject {
    const { native } = library
    const handle = native.weir_object_new()
    if (handle === 0)
      throw new KernelError({ errno: constants.errno.ENOMEM, operation: 'open', object: path })
    const answer = native.weir_object_open(handle, path)
    if (answer === 0) return new BpfObject(library, path, handle)
    const reason = lastLines(readLog(library, handle), 4)
    native.weir_object_free(handle)
    throw loadError({ errno: -answer, operation: 'open', object: `object ${path}` }, reason)
  }

  /** Before load. */
  setMaxEntries(map: string, maxEntries: number): void {
    const answer = this.#library.native.weir_object_set_max_entries(
      this.#open,
      this.#index(map),
      maxEntries,
    )
    check(answer, 'set the size of', `map ${map}`)
  }

  /** The bytes a data section will start with; a copy. */
  initialData(map: string): Uint8Array {
    const { native } = this.#library
    const index = this.#index(map)
    const answer = native.weir_object_get_data(this.#open, index, null, 0)
    const bytes = new Uint8Array(check(answer, 'read initial data of', `map ${map}`))
    native.weir_object_get_data(this.#open, index, bytes, bytes.length)
    return bytes
  }

  /** Before load: the whole section's initial bytes. Throws EINVAL when the size differs. */
  setData(map: string, bytes: Uint8Array): void {
    const { native } = this.#library
    const answer = native.weir_object_set_data(this.#open, this.#index(map), bytes, bytes.length)
    check(answer, `set ${bytes.length} initial bytes of`, `map ${map}`)
  }

  /** Before load: use an existing map of the same type, sizes and flags; its own size stays. */
  reuseMap(map: string, fd: number): void {
    const index = this.#index(map)
    const spec = this.maps[index]
    const existing = new BpfMap(this.#library, fd, map)
    for (const fact of ['type', 'keySize', 'valueSize', 'flags'] as const) {
      if (existing[fact] === spec?.[fact]) continue
      const [has, wants] = [existing[fact], spec?.[fact]]
      throw new Error(`Cannot reuse map ${map}: ${fact} is ${has}, the object wants ${wants}`)
    }
    check(this.#library.native.weir_object_reuse_map(this.#open, index, fd), 'reuse', `map ${map}`)
  }

  /** Before load: whether the program is loaded at all. */
  setAutoload(program: string, load: boolean): void {
    const answer = this.#library.native.weir_object_set_autoload(this.#open, program, Number(load))
    check(answer, 'set the autoload of', `program ${program}`)
  }

  /** Makes maps and programs. Throws VerifierError when a program is refused, else KernelError. */
  load(): void {
    const answer = this.#library.native.weir_object_load(this.#open)
    if (answer === 0) return
    const log = readLog(this.#library, this.#open)
    throw loadError({ errno: -answer, operation: 'load', object: `object ${this.path}` }, log)
  }

  /** After load: the map, with an fd of its own. */
  map(name: string): BpfMap {
    const fd = this.#library.native.weir_object_map_fd(this.#open, this.#index(name))
    return new BpfMap(this.#library, check(fd, 'open', `map ${name}`), name)
  }

  /** After load: the program, with an fd of its own. */
  program(name: string): Program {
    const fd = this.#library.native.weir_object_program_fd(this.#open, name)
    return new Program(this.#library, check(fd, 'open', `program ${name}`), name)
  }

  /** The .BTF section as the compiler wrote it. Throws when there is none. */
  btf(): Uint8Array {
    const section = elfSection(readFileSync(this.path), '.BTF')
    if (section === undefined) throw new Error(`Cannot read BTF of ${this.path}: no such section`)
    return section
  }

  /** Frees the object. Pinned and attached things live on, and so do its open maps and programs. */
  close(): void {
    if (this.#handle === 0) return
    this.#library.native.weir_object_free(this.#handle)
    this.#handle = 0
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #index(map: string): number {
    const index = this.maps.findIndex(({ name }) => name === map)
    if (index >= 0) return index
    const reason = `object ${this.path} has no such map`
    throw new KernelError({
      errno: constants.errno.ENOENT,
      operation: 'find',
      object: `map ${map}`,
      reason,
    })
  }

  get #open(): number {
    if (this.#handle === 0) throw new Error(`Cannot use object ${this.path}: it is closed`)
    return this.#handle
  }
}

function readLog({ native }: Library, handle: number): string {
  const bytes = new Uint8Array(native.weir_object_log(handle, null, 0))
  native.weir_object_log(handle, bytes, bytes.length)
  return Buffer.from(bytes.buffer).toString()
}

function loadError(facts: { errno: number; operation: string; object: string }, log: string) {
  const [, program] = /prog '([^']+)': BPF program load failed/.exec(log) ?? []
  if (program !== undefined) {
    return new VerifierError({ ...facts, object: `program ${program}`, program, log })
  }
  const reason = lastLines(log, 4)
  return new KernelError(reason === '' ? facts : { ...facts, reason })
}

function readMapSpecs({ native }: Library, handle: number): MapSpec[] {
  const count = native.weir_object_maps(handle, null, 0)
  const bytes = new Uint8Array(count * MAP_SPEC_SIZE)
  native.weir_object_maps(handle, bytes, count)
  return Array.from({ length: count }, (_, i) => {
    const at = i * MAP_SPEC_SIZE
    const words = readWords(viewOf(bytes), at + NAME_SIZE, 6)
    const [type = 0, keySize = 0, valueSize = 0, maxEntries = 0, flags = 0, isSection = 0] = words
    return {
      name: readText(bytes, at, NAME_SIZE),
      type: mapTypeName(type),
      keySize,
      valueSize,
      maxEntries,
      flags,
      isSection: isSection !== 0,
    }
  })
}

function readProgramSpecs({ native }: Library, handle: number): ProgramSpec[] {
  const count = native.weir_object_programs(handle, null, 0)
  const bytes = new Uint8Array(count * PROGRAM_SPEC_SIZE)
  native.weir_object_programs(handle, bytes, count)
  return Array.from({ length: count }, (_, i) => ({
    name: readText(bytes, i * PROGRAM_SPEC_SIZE, NAME_SIZE),
    section: readText(bytes, i * PROGRAM_SPEC_SIZE + NAME_SIZE, NAME_SIZE),
  }))
}
