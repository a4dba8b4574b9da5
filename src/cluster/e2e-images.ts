// Images that Kubernetes' tests ask for, made here under the names that the tests use: agnhost with
// Debian's tools stands in for most of them.
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { builtProgram, projectRoot } from '../lab/paths.ts'
import { run } from '../lab/run.ts'
import { buildOther, COREDNS, kubernetesSources } from './build.ts'
import { buildImage, prepareBuilder, programRecipe, type Recipe } from './builder.ts'
import { importImages, nameImage } from './node.ts'
import { cacheDirectory, clusterPaths } from './paths.ts'
import type { ClusterRecord } from './record.ts'

/** Images that the tests ask for and that agnhost with tools stands in for. */
const TOOLS_IMAGES = ['agnhost', 'glibc-dns-testing', 'distroless-iptables', 'busybox', 'nginx']
const REGRESSION = 'regression-issue-74839'

/** Builds and imports once in a cluster's life. */
export async function provideTestImages(
  { nodes }: ClusterRecord,
  bin: string,
  say: (line: string) => void,
): Promise<void> {
  const images = join(clusterPaths().images, 'e2e')
  if (existsSync(images)) return
  say('Building the images of the tests')
  const building = `${images}.new`
  rmSync(building, { recursive: true, force: true })
  mkdirSync(building, { recursive: true })
  const names = await buildTestImages(bin, building, say)
  for (const node of nodes) {
    await importImages(building, node.pid, 'e2e.new')
    for (const [name = '', ...others] of names) {
      if (others.length > 0) await nameImage(node, name, others)
    }
  }
  renameSync(building, images)
}

/** Answers each image's names; the archives have the first of them. */
async function buildTestImages(
  bin: string,
  images: string,
  say: (line: string) => void,
): Promise<string[][]> {
  const listed = await run('list images', join(bin, 'e2e.test'), ['--list-images'])
  const named = (parts: readonly string[]) => imagesNamed(listed, parts)
  const all = [named(TOOLS_IMAGES), named(['pause']), named([REGRESSION])]
  const [tools = '', pause = '', regression = ''] = all.map(([name]) => name)
  const builder = await prepareBuilder(cacheDirectory(), say)
  const context = join(images, 'context')
  const recipes: Readonly<Record<string, Recipe>> = {
    tools: await toolsRecipe(tools, context, bin),
    pause: programRecipe(pause, builtProgram('weir-init')),
    regression: programRecipe(regression, join(bin, REGRESSION)),
  }
  for (const [name, recipe] of Object.entries(recipes)) {
    await buildImage(builder, recipe, join(images, `${name}.tar`))
  }
  rmSync(context, { recursive: true })
  return all
}

async function toolsRecipe(name: string, context: string, bin: string): Promise<Recipe> {
  const certificates = join(await kubernetesSources(cacheDirectory()), 'test/images/agnhost/porter')
  mkdirSync(context)
  for (const path of [
    join(bin, 'agnhost'),
    await buildOther(cacheDirectory(), () => {}, COREDNS),
    ...['localhost.crt', 'localhost.key'].map((file) => join(certificates, file)),
  ]) {
    cpSync(path, join(context, basename(path)))
  }
  const file = join(projectRoot(), 'src/cluster/agnhost.Dockerfile')
  return { name, dockerfile: readFileSync(file, 'utf8'), context }
}

/** The full names, with registry and tag, of images by their last part. Pure. */
export function imagesNamed(listed: string, wanted: readonly string[]): string[] {
  const names = listed.split('\n').map((line) => line.trim())
  return names.filter((name) => wanted.some((each) => name.includes(`/${each}:`)))
}
