// Is it still the same cluster? A server that comes back may be another one, or the same one with
// an older state; a watch resumed there would be silent and wrong. Asked after a lost connection.
import type { Connection } from './connection.ts'
import { listDecoder } from './decoder.ts'

/** What the namespace kube-system and its list say. */
export interface ClusterState {
  /** Of kube-system, which lives as long as its cluster; undefined when there is none. */
  readonly uid: string | undefined
  /** Where the cluster's history stands. */
  readonly resourceVersion: string
}

interface Look {
  readonly startedAt: number
  readonly state: Promise<ClusterState>
}

export class ClusterLook {
  readonly #connection: Connection
  #latest: Look | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** The state at some time after `sinceMs` (performance.now()); all kinds share one request. */
  state(sinceMs: number, signal: AbortSignal): Promise<ClusterState> {
    if (this.#latest && this.#latest.startedAt >= sinceMs) return this.#latest.state
    const state = this.#ask(signal)
    const look = { startedAt: performance.now(), state }
    this.#latest = look
    state.catch(() => {
      if (this.#latest === look) this.#latest = undefined
    })
    return state
  }

  async #ask(signal: AbortSignal): Promise<ClusterState> {
    const { body } = await this.#connection.get({
      what: 'look at the cluster',
      path: '/api/v1/namespaces',
      query: { fieldSelector: 'metadata.name=kube-system', limit: '1' },
      encoding: 'json',
      isWatch: false,
      silenceMs: 30_000,
      signal,
    })
    const decoder = listDecoder('json', 'Namespace')
    let uid: string | undefined
    for await (const chunk of body) {
      for (const item of decoder.push(chunk)) {
        const { metadata } = item as { metadata?: { name?: unknown; uid?: unknown } }
        if (metadata?.name === 'kube-system') uid = String(metadata.uid)
      }
    }
    return { uid, resourceVersion: decoder.end().resourceVersion }
  }
}

/** Negative when `a` is older. Versions that are no numbers cannot be compared: 0. */
export function compareVersions(a: string, b: string): number {
  if (!/^\d+$/.test(a) || !/^\d+$/.test(b)) return 0
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}
