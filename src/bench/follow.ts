// A client that connects again and again and tells who answers: see native/bench/follow.c.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { builtProgram } from '../lab/paths.ts'
import { type Place, placedCommand } from './load.ts'
import { Unreached } from './measure.ts'

/** What it says when nobody answers. */
export const NOBODY = '-'

/** Of the clock by which followers tell when a connection was begun. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Answers every connection with a letter, until it is killed. */
export function startAnswering(at: Place, address: string, port: number, who: string) {
  const argv = [builtProgram('weir-follow'), 'serve', address, String(port), who]
  return spawn(...placedCommand(at, argv), { stdio: 'ignore' })
}

export class Follower {
  readonly #child: ChildProcess
  #who: string | undefined
  /** When the first connection was begun that met whom it meets now. */
  #sinceMs = 0
  /** When this process was told so. */
  #toldMs = 0

  constructor(from: Place, address: string, port: number) {
    const argv = [builtProgram('weir-follow'), 'follow', address, String(port)]
    const child = spawn(...placedCommand(from, argv), { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface(child.stdout).on('line', (line) => {
      const [ns = '0', who = ''] = line.split(' ')
      this.#who = who
      this.#sinceMs = Number(ns) / 1e6
      this.#toldMs = nowMs()
    })
    this.#child = child
  }

  /**
   * Resolves with the time since when it meets whom it is to meet, once that has been so for a
   * while. Throws Unreached when it is not so in time.
   */
  async meets(who: string, { withinMs, forMs }: { withinMs: number; forMs: number }) {
    for (const until = nowMs() + withinMs; ; await sleep(2)) {
      if (this.#who === who && nowMs() - this.#toldMs >= forMs) return this.#sinceMs
      if (nowMs() > until) {
        throw new Unreached(`Cannot follow a change: ${this.#who} was met, not ${who}`)
      }
    }
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}
