// Runs the connectivity suite: the same checks in rounds of other routing and service translation,
// and puts settings and workloads back at the end, also when a check or the suite itself fails.
import { appliedChecks } from './checks/applied.ts'
import { expectNoDrops, readDrops } from './checks/drops.ts'
import { edgeChecks } from './checks/edges.ts'
import { exposedChecks } from './checks/exposed.ts'
import { hostChecks } from './checks/hosts.ts'
import { mtuChecks } from './checks/mtu.ts'
import { podChecks } from './checks/pods.ts'
import { policyChecks } from './checks/policies.ts'
import { restartChecks } from './checks/restart.ts'
import { serviceChecks } from './checks/services.ts'
import type { Cluster } from './cluster.ts'
import { closedObjects, fixtureObjects } from './fixture.ts'
import type { CheckResult } from './report.ts'
import { type Check, makeScene, podOf, type Scene } from './scene.ts'
import type { AgentSettings } from './spec.ts'

export interface SuiteReport {
  readonly checks: readonly CheckResult[]
}

export interface SuiteOptions {
  /** Runs only checks whose name matches. */
  readonly only?: RegExp
  readonly onCheck?: (result: CheckResult) => void
  /** Puts settings and workloads back at the end (default); false when the cluster goes anyway. */
  readonly restore?: boolean
  /** Ends the suite before its next check. */
  readonly signal?: AbortSignal
}

interface Round {
  readonly settings: AgentSettings
  readonly checks: (scene: Scene) => Check[]
}

const each =
  (...parts: ((scene: Scene, family: 4 | 6) => Check[])[]) =>
  (scene: Scene): Check[] =>
    parts.flatMap((part) => scene.cluster.families.flatMap((family) => part(scene, family)))

const ROUNDS: readonly Round[] = [
  {
    settings: { routing: 'vxlan', socketServices: true, forwarding: 'snat', xdp: 'off' },
    checks: (scene) => [
      ...each(podChecks, edgeChecks, hostChecks, serviceChecks, exposedChecks, mtuChecks)(scene),
      ...appliedChecks(scene),
      ...restartChecks(scene),
      ...policyChecks(scene),
    ],
  },
  {
    settings: { routing: 'vxlan', socketServices: false, forwarding: 'dsr', xdp: 'native' },
    checks: each(serviceChecks, exposedChecks),
  },
  {
    settings: { routing: 'native', socketServices: false, forwarding: 'snat', xdp: 'native' },
    checks: (scene) => [
      ...each(podChecks, edgeChecks, hostChecks, serviceChecks, exposedChecks, mtuChecks)(scene),
      ...appliedChecks(scene),
      ...restartChecks(scene),
    ],
  },
  {
    settings: { routing: 'auto', socketServices: true, forwarding: 'dsr', xdp: 'off' },
    checks: each(podChecks, edgeChecks, hostChecks, exposedChecks, mtuChecks),
  },
]

/** Runs the suite; failures are in the report. Throws only if the suite itself cannot run. */
export async function runSuite(cluster: Cluster, options: SuiteOptions = {}): Promise<SuiteReport> {
  const checks: CheckResult[] = []
  const report = async (check: Check): Promise<void> => {
    options.signal?.throwIfAborted()
    if (options.only && !options.only.test(check.name)) return
    const result = await runCheck(check)
    checks.push(result)
    options.onCheck?.(result)
  }
  const fixture: object[] = fixtureObjects(cluster.nodes().length)
  const before = cluster.powers?.settings
  try {
    await cluster.apply(fixture)
    // The addresses of its backends are known only now.
    const closed = closedObjects(podOf(cluster, 'lone').addresses)
    fixture.push(...closed)
    await cluster.apply(closed)
    const drops = await readDrops(cluster)
    for (const { settings, checks: list } of roundsFor(cluster)) {
      const planned = list(makeScene(cluster, settings))
      if (options.only && !planned.some(({ name }) => options.only?.test(name))) continue
      const ready = await runCheck({
        name: `${makeScene(cluster, settings).title}: agents start and agree`,
        run: () => useSettings(cluster, settings),
      })
      checks.push(ready)
      options.onCheck?.(ready)
      if (ready.ok) for (const check of planned) await report(check)
    }
    await report({ name: 'nothing else was dropped', run: () => expectNoDrops(cluster, drops) })
  } finally {
    if (options.restore !== false) {
      if (before) await useSettings(cluster, before)
      await cluster.remove(fixture)
    }
  }
  return { checks }
}

/** Every round where agents may be started again; else the one round the cluster is set to. */
function roundsFor(cluster: Cluster): readonly Round[] {
  return cluster.powers ? ROUNDS : ROUNDS.slice(0, 1)
}

async function useSettings(cluster: Cluster, settings: AgentSettings): Promise<string> {
  const { powers } = cluster
  if (!powers) return 'as they run'
  const same = JSON.stringify(powers.settings) === JSON.stringify(settings)
  if (!same) await powers.reconfigure(settings)
  return same ? 'as they ran' : 'started with other settings'
}

async function runCheck({ name, run }: Check): Promise<CheckResult> {
  const startedAt = performance.now()
  const took = (): number => Math.round((performance.now() - startedAt) * 10) / 10
  try {
    return { name, ok: true, detail: await run(), ms: took() }
  } catch (error) {
    return { name, ok: false, detail: (error as Error).message, ms: took() }
  }
}
