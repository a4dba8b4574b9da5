// At the end nothing was dropped but what checks made the datapath drop.
import type { Cluster } from '../cluster.ts'
import { expectThat } from '../probes.ts'

/** Reasons that checks cause on purpose. */
const EXPECTED = new Set([
  ...[
    'no_backend',
    'no_local_backend',
    'source_range',
    'no_endpoint',
    'spoofed_source',
    'fragment_unknown',
  ],
  ...['too_big', 'ttl_expired', 'policy_ingress', 'policy_egress'],
])

export type Drops = ReadonlyMap<string, number>

/** Packets dropped so far by node and reason: "node1 no_route". */
export async function readDrops(cluster: Cluster): Promise<Drops> {
  const drops = new Map<string, number>()
  for (const { name } of cluster.nodes()) {
    const text = await cluster.metrics(name)
    for (const [, reason = '', value] of text.matchAll(
      /^weir_drops_total\{[^}]*reason="([^"]*)"[^}]*\} (\S+)$/gm,
    )) {
      const key = `${name} ${reason}`
      drops.set(key, (drops.get(key) ?? 0) + Number(value))
    }
  }
  return drops
}

/** Throws naming every unexpected reason that grew since `before`. */
export async function expectNoDrops(cluster: Cluster, before: Drops): Promise<string> {
  const after = await readDrops(cluster)
  const grown = [...after]
    .map(([key, count]) => ({ key, count: count - (before.get(key) ?? 0) }))
    .filter(({ count }) => count > 0)
  const bad = grown.filter(({ key }) => !EXPECTED.has(key.split(' ')[1] ?? ''))
  const show = (rows: typeof grown): string =>
    rows.map(({ key, count }) => `${key} ${count}`).join(', ')
  expectThat(bad.length === 0, 'no drop that no check caused', show(bad))
  return grown.length > 0 ? `only as meant: ${show(grown)}` : 'no packet dropped'
}
