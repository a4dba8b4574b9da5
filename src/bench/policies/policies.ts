// `weir bench policies`: connections under more and more policies, what policies cost an agent, and
// how long a change takes to its effect, beside kube-router's iptables and ipsets.
import type { BenchRow } from '../measure.ts'
import type { Figure } from '../report.ts'
import { measureCost } from './cost.ts'
import { findRouterTools } from './kube-router.ts'
import { measureRouterPaths, measureWeirPaths } from './paths.ts'
import { type World, worldOf } from './world.ts'
import { measureWorld } from './worlds.ts'

export const PARTS = ['paths', 'cost', 'worlds'] as const
export type Part = (typeof PARTS)[number]

export interface PoliciesOptions {
  readonly parts: readonly Part[]
  /** Numbers of pods, a world each. */
  readonly pods: readonly number[]
  /** At most; one for each pod up to there. */
  readonly policies: number
  /** Numbers of policies that select the pods whose connections are measured. */
  readonly selecting: readonly number[]
  /** kube-router is left out where there are more, and altogether with 0. */
  readonly routerPolicies: number
  readonly rounds: number
  readonly sampleMs: number
  readonly changes: number
  readonly crowd: number
  readonly say: (line: string) => void
}

export interface PoliciesResult {
  readonly paths: readonly BenchRow[]
  readonly figures: readonly Figure[]
}

/** Connections are measured in a world of so many pods. */
const PATHS_PODS = 10_000
const COST_TURNS = 10

export async function runPolicies(options: PoliciesOptions): Promise<PoliciesResult> {
  const { parts, pods, policies, say } = options
  const figures: Figure[] = []
  const put = (world: number, column: string) => (name: string, unit: string, value: number) => {
    figures.push({ name: `${world}-pods.${name}`, unit, column, value })
    // A long run that ends badly has said what it knew.
    say(`  ${column} ${name} ${value.toPrecision(4)} ${unit}`)
  }
  if (parts.includes('cost')) {
    for (const count of pods) {
      say(`compiling for ${count} pods`)
      await measureCost(worldOf(count, Math.min(count, policies)), COST_TURNS, put(count, 'weir'))
    }
  }
  const paths = parts.includes('paths') ? await measurePaths(options) : []
  if (parts.includes('worlds')) {
    const tools = await findRouterTools(say)
    for (const count of pods) {
      const world = worldOf(count, Math.min(count, policies))
      const putOf = (subject: string) => put(count, subject)
      await measureWorld(world, tools, options, (subject, ...figure) => putOf(subject)(...figure))
    }
  }
  return { paths, figures }
}

/** Beside kube-router in a smaller world: it makes chains and sets of all of a cluster. */
async function measurePaths(options: PoliciesOptions): Promise<BenchRow[]> {
  const { policies, selecting, routerPolicies, say } = options
  const worldFor = (pods: number): World => {
    const most = Math.min(pods, policies)
    return worldOf(
      pods,
      most,
      selecting.filter((count) => count <= most),
    )
  }
  const weir = await measureWeirPaths(worldFor(PATHS_PODS), options)
  if (routerPolicies === 0) return weir
  const tools = await findRouterTools(say)
  return [...weir, ...(await measureRouterPaths(worldFor(routerPolicies), tools, options))]
}
