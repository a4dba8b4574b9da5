// The file system that pins live in. Every mount of it is an instance of its own: what is pinned
// in one is not seen in another, and dies with its last mount.
import { mkdirSync, statfsSync, unlinkSync } from 'node:fs'
import { check, KernelError } from './errors.ts'
import type { Library } from './library.ts'

const BPF_FS_MAGIC = 0xcafe4a11

/** Whether the path is in a mounted bpffs; false also when it does not exist. */
export function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC
  } catch {
    return false
  }
}

/** Mounts a new, empty bpffs at the path, for root only; makes the directory. */
export function mountBpffs(library: Library, path: string): void {
  mkdirSync(path, { recursive: true })
  check(library.native.weir_mount_bpffs(path), 'mount', `bpffs at ${path}`)
}

/** Unmounts what is mounted at the path. */
export function unmountBpffs(library: Library, path: string): void {
  check(library.native.weir_unmount(path), 'unmount', path)
}

/** Pins an fd of a map, program or link at a path of bpffs whose directory exists. */
export function pinFd(library: Library, fd: number, object: string, path: string): void {
  check(library.native.weir_pin(fd, path), `pin ${object} at`, path)
}

/** A new fd of what is pinned at the path. */
export function openPin(library: Library, path: string): number {
  return check(library.native.weir_open_pin(path), 'open', `pin ${path}`)
}

/** Removes a pin; false: it was absent. */
export function removePin(path: string): boolean {
  try {
    unlinkSync(path)
    return true
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return false
    throw new KernelError({ errno: -(errno ?? -5), operation: 'remove', object: `pin ${path}` })
  }
}
