// A fair share of the event loop: work in long streams goes on for some milliseconds and then lets
// others have their turn. Without it libuv alone reads 2 MB in one go.
import { setImmediate as nextTurn } from 'node:timers/promises'

const TURN_MS = 10

export class Turn {
  #endsAt = 0

  get isOver(): boolean {
    return performance.now() >= this.#endsAt
  }

  /** Resolves in the next turn of the event loop. */
  async next(): Promise<void> {
    await nextTurn()
    this.#endsAt = performance.now() + TURN_MS
  }
}
