// How long after a change the first new connection is treated as it says, seen by clients that
// connect again and again, one by each family: policies come and go, labels of pods change.
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Follower, NOBODY, nowMs, startAnswering } from '../follow.ts'
import type { ApiClient } from '../scale/api-client.ts'
import type { KnownPod, PodMaker } from './pods.ts'
import { policiesPath, policyOf } from './world.ts'

/** A client and a server in a namespace of their own, and what follows whether they may talk. */
export interface Probe {
  readonly namespace: string
  readonly client: KnownPod
  readonly server: KnownPod
  readonly followers: readonly Follower[]
  stop(): void
}

const PORT = 7100
const SERVED = 's'
/** How long an answer must stay the same to count: tables that change in steps may flicker. */
const STEADY_MS = 100
const STARTED_MS = 60_000

export function probeNamespace(subject: string): string {
  return `probe-${subject}`
}

/** Of the first `families` of the pods' addresses; before anything isolates the server. */
export async function startProbe(
  subject: string,
  pods: PodMaker,
  families: number,
): Promise<Probe> {
  const namespace = probeNamespace(subject)
  const server = await pods.make({
    ...{ namespace, name: 'server', labels: { app: 'server', guarded: 'yes' } },
  })
  const client = await pods.make({
    ...{ namespace, name: 'client', labels: { app: 'client', role: 'friend' } },
  })
  const addresses = server.addresses.slice(0, families)
  const servers: ChildProcess[] = addresses.map((address) =>
    startAnswering(server, address, PORT, SERVED),
  )
  const followers = addresses.map((address) => new Follower(client, address, PORT))
  const probe: Probe = {
    ...{ namespace, client, server, followers },
    stop: () => {
      for (const follower of followers) follower.stop()
      for (const each of servers) each.kill('SIGKILL')
    },
  }
  try {
    await meet(probe, true, STARTED_MS)
    return probe
  } catch (error) {
    probe.stop()
    throw error
  }
}

/** What a change is told of by. */
export type EffectKind = 'policy-denies' | 'policy-allows' | 'label'

interface Step {
  readonly kind: EffectKind
  readonly passes: boolean
  readonly method: 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: object
}

/** Isolates the server. */
export function isolation(namespace: string) {
  const podSelector = { matchLabels: { guarded: 'yes' } }
  return policyOf(namespace, 'isolate', { podSelector, policyTypes: ['Ingress'] })
}

/** A round of changes, each of which turns the answer around; it ends as it begins. */
function stepsOf({ namespace, client, server }: Probe): Step[] {
  const path = policiesPath(namespace)
  const allow = policyOf(namespace, 'allow', {
    podSelector: { matchLabels: { guarded: 'yes' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { role: 'friend' } } }] }],
  })
  const post = (kind: EffectKind, passes: boolean, { object }: { object: object }): Step => {
    return { kind, passes, method: 'POST', path, body: object }
  }
  const remove = (kind: EffectKind, passes: boolean, name: string): Step => {
    return { kind, passes, method: 'DELETE', path: `${path}/${name}` }
  }
  const label = (passes: boolean, pod: KnownPod, labels: object): Step => {
    const body = { metadata: { labels } }
    return { kind: 'label', passes, method: 'PATCH', path: pod.path, body }
  }
  return [
    post('policy-denies', false, isolation(namespace)),
    post('policy-allows', true, allow),
    label(false, client, { role: 'stranger' }),
    label(true, client, { role: 'friend' }),
    remove('policy-denies', false, 'allow'),
    label(true, server, { guarded: 'no' }),
    label(false, server, { guarded: 'yes' }),
    remove('policy-allows', true, 'isolate'),
  ]
}

export interface EffectTimes {
  /** From the request that makes the change to the first connection, of the slower family. */
  readonly effect: Record<EffectKind, number[]>
  /** Of that until the API server has answered. */
  readonly api: number[]
}

/** Times changes, so many rounds of eight, each at most so long. */
export async function timeEffects(
  { ask }: ApiClient,
  probe: Probe,
  { rounds, withinMs }: { rounds: number; withinMs: number },
): Promise<EffectTimes> {
  const times: EffectTimes = {
    effect: { 'policy-denies': [], 'policy-allows': [], label: [] },
    api: [],
  }
  for (let round = 0; round < rounds; round++) {
    for (const { kind, passes, method, path, body } of stepsOf(probe)) {
      const begunMs = nowMs()
      await ask(method, path, body)
      times.api.push(nowMs() - begunMs)
      times.effect[kind].push((await meet(probe, passes, withinMs)) - begunMs)
      await sleep(50 + Math.random() * 100)
    }
  }
  return times
}

/** Since when all families are treated so. */
export async function meet({ followers }: Probe, passes: boolean, withinMs: number) {
  const how = { withinMs, forMs: STEADY_MS }
  const since = followers.map((follower) => follower.meets(passes ? SERVED : NOBODY, how))
  return Math.max(...(await Promise.all(since)))
}
