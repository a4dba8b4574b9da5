// How long after a change of an EndpointSlice the first new connection goes where it says, seen by
// a client that connects again and again.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { builtProgram } from '../../lab/paths.ts'
import { placedCommand } from '../load.ts'
import { Unreached } from '../measure.ts'
import type { ApiClient } from '../scale/api-client.ts'
import { MOVING_SLICES, movingSlice, type SubjectNode, TARGETS, targetAddress } from './subjects.ts'

const LONGEST_MS = 120_000

/** Milliseconds from the requests that make changes. */
export interface Moves {
  /** Until the API server has answered: its part of what follows. */
  readonly answered: readonly number[]
  /** Until the first connection that went there was begun. */
  readonly followed: readonly number[]
}

/**
 * Times `count` changes, or as many as are begun within `limitMs`. Throws Unreached when one is not
 * followed.
 */
export async function timeMoves(
  { ask }: ApiClient,
  { name, client, server }: SubjectNode,
  count: number,
  limitMs: number,
): Promise<Moves> {
  const argv = [builtProgram('weir-follow'), 'follow', targetAddress(name, TARGETS), '80']
  const follower = spawn(...placedCommand(client, argv), { stdio: ['ignore', 'pipe', 'inherit'] })
  const seen = new Map<string, number>()
  const lines = createInterface(follower.stdout)
  lines.on('line', (line) => {
    const [ns = '0', who = ''] = line.split(' ')
    seen.set(who, Number(ns) / 1e6)
  })
  const [answered, followed]: [number[], number[]] = [[], []]
  const until = performance.now() + limitMs
  try {
    for (let turn = 0; turn <= count && performance.now() < until; turn++) {
      const slice = movingSlice(name, server, turn)
      const who = String(turn % 2)
      seen.delete(who)
      const begunMs = monotonicMs()
      await ask('PUT', `${MOVING_SLICES}/${slice.metadata.name}`, slice)
      const answeredMs = monotonicMs()
      const seenMs = await waitFor(seen, who, turn)
      // The first turn may change nothing: it sets the state from which the others start.
      if (turn > 0) {
        answered.push(answeredMs - begunMs)
        followed.push(seenMs - begunMs)
      }
      await sleep(300 + Math.random() * 400)
    }
  } finally {
    follower.kill('SIGKILL')
    lines.close()
  }
  return { answered, followed }
}

/** By the clock of weir-follow. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

async function waitFor(
  seen: ReadonlyMap<string, number>,
  who: string,
  turn: number,
): Promise<number> {
  const until = performance.now() + LONGEST_MS
  for (;;) {
    const at = seen.get(who)
    if (at !== undefined) return at
    // Already there before the first change: the follower has said so once or never will again.
    if (turn === 0 && performance.now() > until - LONGEST_MS + 15_000) return 0
    if (performance.now() > until)
      throw new Unreached(`Cannot time a move: nobody moved in ${LONGEST_MS / 1000} s`)
    await sleep(2)
  }
}
