// Multus on the cluster's nodes, around Weir: the runtime calls it for every pod, it calls Weir for
// the first interface and, by annotation, whatever a NetworkAttachmentDefinition says for others.
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { projectRoot } from '../lab/paths.ts'
import { waitUntil } from '../lab/processes.ts'
import { buildOther, MULTUS, MULTUS_ENTRYPOINT } from './build.ts'
import { buildImage, prepareBuilder } from './builder.ts'
import { MULTUS_IMAGE } from './image-names.ts'
import { kubectl } from './kubectl.ts'
import { importImages } from './node.ts'
import { cacheDirectory, clusterPaths } from './paths.ts'
import type { ClusterRecord } from './record.ts'

const MANIFEST = 'deploy/test-cluster/multus.yaml'
/** What the runtime reads while Multus is there, on a disk of the node. */
const CONFLIST = 'cni-conf/00-multus.conflist'
const DOCKERFILE = [
  'FROM scratch',
  'COPY multus /usr/src/multus-cni/bin/',
  'COPY thin_entrypoint /',
  'ENTRYPOINT ["/thin_entrypoint"]',
].join('\n')
const WAIT_MS = 60_000

/** Resolves once every node's pods go through Multus. */
export async function deployMultus(
  record: ClusterRecord,
  say: (line: string) => void,
): Promise<void> {
  const part = 'multus'
  const images = join(clusterPaths().images, part)
  await buildMultus(images, say)
  for (const { pid } of record.nodes) await importImages(images, pid, part)
  await kubectl(record, ['apply', '-f', join(projectRoot(), MANIFEST)])
  await waitForConflists(record, 'written', (path) => existsSync(path))
}

/** Resolves once no pod goes through it any more. */
export async function removeMultus(record: ClusterRecord): Promise<void> {
  await kubectl(record, ['delete', '-f', join(projectRoot(), MANIFEST)], undefined, WAIT_MS)
  await waitForConflists(record, 'removed', (path) => !existsSync(path))
}

async function buildMultus(images: string, say: (line: string) => void): Promise<void> {
  const cache = cacheDirectory()
  const context = join(images, 'context')
  mkdirSync(context, { recursive: true })
  for (const program of [MULTUS, MULTUS_ENTRYPOINT]) {
    const path = await buildOther(cache, say, program)
    cpSync(path, join(context, basename(path)))
  }
  const recipe = { name: MULTUS_IMAGE, dockerfile: DOCKERFILE, context }
  await buildImage(await prepareBuilder(cache, say), recipe, join(images, 'multus.tar'))
  rmSync(context, { recursive: true })
}

async function waitForConflists(
  { nodes }: ClusterRecord,
  state: string,
  holds: (path: string) => boolean,
): Promise<void> {
  const { directory, logs } = clusterPaths()
  const paths = nodes.map(({ name }) => join(directory, name, CONFLIST))
  if (await waitUntil(() => paths.every(holds), WAIT_MS)) return
  const late = paths.filter((path) => !holds(path)).join(', ')
  throw new Error(`Cannot use Multus: ${late} not ${state}; see ${logs}`)
}
