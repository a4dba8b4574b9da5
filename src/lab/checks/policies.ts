// Network policies on a grid of pods: for each set of policies, who reaches whom is exactly what
// the words of the API say, by pod addresses and by Services, over TCP and UDP, both families, on
// one node and across nodes.

import type { Cluster } from '../cluster.ts'
import { objectKey } from '../manifests/read.ts'
import type { PolicySet } from '../policies/build.ts'
import { COMBINED_SETS } from '../policies/combined-sets.ts'
import { EGRESS_SETS } from '../policies/egress-sets.ts'
import { gridObjects, gridPod, PEERS, type Peer, type Probe, probesFrom } from '../policies/grid.ts'
import { INGRESS_SETS } from '../policies/ingress-sets.ts'
import { type Check, inPod, type Scene } from '../scene.ts'

/** Silence for so long is a denial; the machine may be busy. */
const SILENCE_MS = 400
/** Policies have so long to be in force everywhere, and answers to come on a busy machine. */
const DEADLINE_MS = 15_000
const SHOWN = 6

export function policyChecks({ cluster, title }: Scene): Check[] {
  let present: readonly object[] = []
  const sets = [...COMBINED_SETS, ...INGRESS_SETS, ...EGRESS_SETS]
  const replace = async (objects: readonly object[]): Promise<void> => {
    const kept = new Set(objects.map(keyOf))
    await cluster.apply(objects)
    await cluster.remove(present.filter((object) => !kept.has(keyOf(object))))
    present = objects
  }
  return [
    {
      name: `${title}: the grid of policies is there`,
      run: async () => {
        await cluster.apply(gridObjects(cluster.nodes()))
        return `${PEERS.length} pods, ${sets.length} sets of policies`
      },
    },
    ...sets.map((set) => ({
      name: `${title}: policies: ${set.name}`,
      run: async () => {
        await replace(set.objects(cluster))
        return await expectMatrix(cluster, set)
      },
    })),
    {
      name: `${title}: the grid of policies goes`,
      run: async () => {
        await replace([])
        await cluster.remove(gridObjects(cluster.nodes()))
        return 'no policy is left'
      },
    },
  ]
}

function keyOf(object: object): string {
  const { kind, metadata } = object as {
    kind: string
    metadata: { namespace?: string; name: string }
  }
  return objectKey({ kind, namespace: metadata.namespace ?? '', name: metadata.name })
}

/** Probes everything until it is as the set says; throws what still differs at the deadline. */
async function expectMatrix(cluster: Cluster, set: PolicySet): Promise<string> {
  const deadline = Date.now() + DEADLINE_MS
  let wrong: string[] = []
  do {
    const seen = await Promise.all(PEERS.map((from) => probeFrom(cluster, from)))
    wrong = seen.flat().flatMap(({ probe, ok }) => {
      const wanted = isSame(probe.from, probe.to) || set.allows(probe)
      return wanted === ok ? [] : [`${describe(probe)} ${ok ? 'passes' : 'does not pass'}`]
    })
    if (wrong.length === 0) {
      const passed = seen.flat().filter(({ ok }) => ok).length
      return `${passed} of ${seen.flat().length} ways pass`
    }
  } while (Date.now() < deadline)
  const more = wrong.length > SHOWN ? ` and ${wrong.length - SHOWN} more` : ''
  throw new Error(`expected what the policies say, saw ${wrong.slice(0, SHOWN).join(', ')}${more}`)
}

interface Seen {
  readonly probe: Probe
  readonly ok: boolean
}

async function probeFrom(cluster: Cluster, from: Peer): Promise<Seen[]> {
  const probes = probesFrom(cluster, from)
  const { stdout, stderr } = await cluster.run(inPod(gridPod(cluster, from)), [
    ...['probe', `--timeout=${SILENCE_MS}`],
    ...probes.map(({ target }) => target),
  ])
  const lines = stdout.trim().split('\n').filter(Boolean)
  if (lines.length !== probes.length) throw new Error(`expected probes, saw ${stderr.trim()}`)
  const results = lines.map((line) => JSON.parse(line) as { target: string; ok: boolean })
  return results.flatMap(({ ok }, at) => {
    const probe = probes[at]
    return probe ? [{ probe, ok }] : []
  })
}

function isSame(a: Peer, b: Peer): boolean {
  return a.ns === b.ns && a.pod === b.pod
}

function describe({ from, to, target }: Probe): string {
  return `${from.ns}/${from.pod} to ${to.ns}/${to.pod} by ${target}`
}
