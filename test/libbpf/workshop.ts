// What every test of the binding needs: both engines, a compiled object, a bpffs and bytes.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { mountBpffs, unmountBpffs } from '../../src/libbpf/bpffs.ts'
import type { EngineName } from '../../src/libbpf/engine.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { BpfObject } from '../../src/libbpf/object.ts'
import { compileObject } from '../support/compile-object.ts'

export const ENGINES: readonly EngineName[] = ['koffi', 'ffi-napi']
export const libraries = ENGINES.map((engine) => openLibrary({ engine }))

const directory = mkdtempSync(join(tmpdir(), 'weir-libbpf-'))
const cleanUps: (() => void)[] = [() => rmSync(directory, { recursive: true })]
after(() => {
  for (const cleanUp of cleanUps.reverse()) cleanUp()
})

/** Runs after the tests of the file, the last registered first. */
export function cleanUpWith(cleanUp: () => void): void {
  cleanUps.push(cleanUp)
}

/** The compiled test.bpf.c. */
export const objectPath = compileObject(join(import.meta.dirname, 'test.bpf.c'), directory)

/** A directory of this test's own, removed with it. */
export const scratch = directory

/** A bpffs of this test's own, unmounted with it. */
export function mountScratchBpffs(): string {
  const path = join(directory, 'bpffs')
  const [library] = libraries
  if (library === undefined) throw new Error('Cannot mount bpffs: no library')
  mountBpffs(library, path)
  cleanUpWith(() => unmountBpffs(library, path))
  return path
}

/** The test object, loaded. */
export function loadObject(library: (typeof libraries)[number]): BpfObject {
  const object = BpfObject.open(library, objectPath)
  object.load()
  return object
}

/** Little-endian. */
export function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** Little-endian. */
export function uint64(value: number | bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

export function toNumber(bytes: Uint8Array | undefined): number {
  if (bytes === undefined) throw new Error('Cannot read a number: no bytes')
  const buffer = Buffer.from(bytes)
  return buffer.length === 4 ? buffer.readUInt32LE() : Number(buffer.readBigUInt64LE())
}
