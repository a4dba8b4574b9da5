// How long after a change of an EndpointSlice the first new connection goes where it says, seen by
// a client that connects again and again.
import { setTimeout as sleep } from 'node:timers/promises'
import { Follower, nowMs } from '../follow.ts'
import type { ApiClient } from '../scale/api-client.ts'
import { MOVING_SLICES, movingSlice, type SubjectNode, TARGETS, targetAddress } from './subjects.ts'

const LONGEST = { withinMs: 120_000, forMs: 0 }

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
  const follower = new Follower(client, targetAddress(name, TARGETS), 80)
  const [answered, followed]: [number[], number[]] = [[], []]
  const until = performance.now() + limitMs
  try {
    for (let turn = 0; turn <= count && performance.now() < until; turn++) {
      const slice = movingSlice(name, server, turn)
      const begunMs = nowMs()
      await ask('PUT', `${MOVING_SLICES}/${slice.metadata.name}`, slice)
      const answeredMs = nowMs()
      const seenMs = await follower.meets(String(turn % 2), LONGEST)
      // The first turn may change nothing: it sets the state from which the others start.
      if (turn > 0) {
        answered.push(answeredMs - begunMs)
        followed.push(seenMs - begunMs)
      }
      await sleep(300 + Math.random() * 400)
    }
  } finally {
    follower.stop()
  }
  return { answered, followed }
}
