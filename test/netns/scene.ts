// What a test makes of the kernel's: named after this process and taken away by dispose(), also
// when the test failed.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Runs a program to its end; throws with what it said on failure. */
export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

export class Scene {
  readonly directory = mkdtempSync(join(tmpdir(), 'weir-netns-'))
  readonly #undo: (() => void | Promise<void>)[] = []
  readonly #netns = new Set<string>()
  #count = 0

  /** Undone in reverse, each whatever happened to the others. */
  defer(undo: () => void | Promise<void>): void {
    this.#undo.push(undo)
  }

  async dispose(): Promise<void> {
    const errors: unknown[] = []
    for (const undo of this.#undo.reverse()) {
      try {
        await undo()
      } catch (error) {
        errors.push(error)
      }
    }
    rmSync(this.directory, { recursive: true, force: true })
    if (errors.length > 0) throw new AggregateError(errors, 'Cannot clean up')
  }

  /** A namespace with `lo` up; its name. */
  netns(): string {
    const name = `weir-t${process.pid}-${this.#count++}`
    run('ip', 'netns', 'add', name)
    this.#netns.add(name)
    this.defer(() => this.removeNetns(name))
    run('ip', '-n', name, 'link', 'set', 'lo', 'up')
    return name
  }

  /** The absent is fine. */
  removeNetns(name: string): void {
    if (this.#netns.delete(name)) run('ip', 'netns', 'del', name)
  }

  /** iproute2 in a namespace. */
  ip(netns: string, ...args: readonly string[]): string {
    return run('ip', '-n', netns, ...args)
  }

  /** Its traffic control. */
  tc(netns: string, ...args: readonly string[]): string {
    return run('tc', '-n', netns, ...args)
  }
}
