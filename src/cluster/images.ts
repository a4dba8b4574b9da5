// The images of the cluster: the pause container, a pod to try things with, CoreDNS, and Weir's own
// from the Dockerfile that everybody builds.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtProgram, projectRoot } from '../lab/paths.ts'
import { buildImage, prepareBuilder, programRecipe, type Recipe } from './builder.ts'
import { DNS_IMAGE, PAUSE_IMAGE, POD_IMAGE, WEIR_IMAGE } from './image-names.ts'

/** Writes all images into the directory, each as NAME.tar. `coredns` is a path. */
export async function buildImages(
  cache: string,
  images: string,
  coredns: string,
  say: (line: string) => void,
): Promise<void> {
  const recipes: Readonly<Record<string, Recipe>> = {
    pause: programRecipe(PAUSE_IMAGE, builtProgram('weir-init')),
    'weir-pod': programRecipe(POD_IMAGE, builtProgram('weir-pod')),
    coredns: programRecipe(DNS_IMAGE, coredns),
    weir: weirRecipe(),
  }
  const builder = await prepareBuilder(cache, say)
  for (const [name, recipe] of Object.entries(recipes)) {
    await buildImage(builder, recipe, join(images, `${name}.tar`))
  }
}

function weirRecipe(): Recipe {
  const context = projectRoot()
  const dockerfile = readFileSync(join(context, 'Dockerfile'), 'utf8')
  return { name: WEIR_IMAGE, dockerfile, context }
}
