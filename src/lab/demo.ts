// `weir lab demo`: a lab of three nodes, one behind a router, the example manifests and the whole
// suite.
import { join } from 'node:path'
import { applyObjects } from './apply.ts'
import { down } from './down.ts'
import { openLabCluster } from './lab-cluster.ts'
import { readManifests } from './manifests/read.ts'
import { projectRoot } from './paths.ts'
import { formatRow } from './report.ts'
import { DEFAULT_SETTINGS } from './spec.ts'
import { formatStatus, labStatus } from './status.ts'
import { runSuite, type SuiteReport } from './suite.ts'
import { up } from './up.ts'

/** Builds, applies, checks and takes down again, whatever happens; `say` gets lines for people. */
export async function demo(
  name: string,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<SuiteReport> {
  // What an earlier demo left behind when it was killed.
  await down(name)
  try {
    say('Building a lab of three nodes, node3 behind a router')
    await up({ name, nodes: 3, ipv4: true, ipv6: true, offLink: ['node3'] }, DEFAULT_SETTINGS)
    signal?.throwIfAborted()
    const examples = join(projectRoot(), 'deploy', 'examples')
    say(`Applying ${examples}`)
    const { created, notes } = await applyObjects(name, readManifests([examples]))
    say(`${created.length} pods created${notes.length ? `; passed over: ${notes.join(', ')}` : ''}`)
    say(`\n${formatStatus(labStatus(name))}\n`)
    return await runSuite(openLabCluster(name), {
      restore: false,
      ...(signal ? { signal } : {}),
      onCheck: (result) => say(formatRow(result)),
    })
  } finally {
    await down(name)
    say('The lab is down')
  }
}
