// Directories of pins on a bpffs. What is pinned outlives the agent; removing a pin lets go of the
// kernel's object (a link's program is detached by it).
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isBpffs, removePin } from '../libbpf/bpffs.ts'

export class PinDirectory {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  has(name: string): boolean {
    return existsSync(this.path(name))
  }

  names(): string[] {
    return existsSync(this.directory) ? readdirSync(this.directory).sort() : []
  }

  create(): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 })
  }

  /** Unpins; the absent is fine. */
  remove(name: string): void {
    removePin(this.path(name))
  }

  /** Unpins everything and removes the directory; the absent is fine. */
  removeAll(): void {
    for (const name of this.names()) this.remove(name)
    if (existsSync(this.directory)) rmdirSync(this.directory)
  }
}

export interface Pins {
  readonly maps: PinDirectory
  readonly links: PinDirectory
  /** Programs without a hook, which the CLI runs. */
  readonly programs: PinDirectory
}

/** The directories below a bpf root; makes nothing. */
export function pinsUnder(bpfRoot: string): Pins {
  return {
    maps: new PinDirectory(join(bpfRoot, 'maps')),
    links: new PinDirectory(join(bpfRoot, 'links')),
    programs: new PinDirectory(join(bpfRoot, 'programs')),
  }
}

/** Throws unless the bpf root is, or can be made, on a mounted bpffs. */
export function requireBpffs(bpfRoot: string): void {
  let existing = bpfRoot
  while (!existsSync(existing)) existing = dirname(existing)
  if (isBpffs(existing)) return
  throw new Error(
    `Cannot pin maps under ${bpfRoot}: ${existing} is not on a bpffs, ` +
      'mount one with: mount -t bpf bpf /sys/fs/bpf',
  )
}

/** Name of a map's pin: "flows", or "epoch" for the section .data.epoch (bpffs refuses dots). */
export function mapPinName(map: string): string {
  return map.replace(/^\.(data|bss)\.?/, '') || map.slice(1)
}
