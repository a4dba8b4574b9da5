// A directory for one test: the agent's socket and state, gone at the end.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Plugin } from './plugin.ts'

export class Place {
  readonly dir = mkdtempSync(join(tmpdir(), 'weir-cni-'))
  readonly socket = join(this.dir, 'weir.sock')
  readonly stateDir = join(this.dir, 'state')

  plugin(binary?: string): Plugin {
    return new Plugin(this.socket, this.stateDir, binary)
  }

  /** Names of the queued DELs. */
  queued(): string[] {
    return readdirSync(join(this.stateDir, 'cni-queue'))
  }

  endpointFiles(): string[] {
    return readdirSync(join(this.stateDir, 'endpoints'))
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}
