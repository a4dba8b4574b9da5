// deploy/weir.yaml from deploy/kustomization.yaml: its resources one after the other, for those
// who want one file. Only this much of kustomize is used there, so that the two cannot differ.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const HEAD = '# Rendered from the files beside it: change those, then `make deploy/weir.yaml`.\n'

/** The text of weir.yaml. Throws when the kustomization has anything but resources. */
export function renderManifest(directory: string): string {
  const read = (name: string): string => readFileSync(join(directory, name), 'utf8')
  const kustomization = parse(read('kustomization.yaml')) as Record<string, unknown>
  const known = ['apiVersion', 'kind', 'resources']
  const other = Object.keys(kustomization).find((key) => !known.includes(key))
  if (other !== undefined) throw new Error(`Cannot render ${directory}: ${other} is not known`)
  const resources = kustomization['resources'] as string[]
  return HEAD + resources.map((name) => `---\n${read(name)}`).join('')
}

if (process.argv[1] === import.meta.filename) {
  const [directory = 'deploy'] = process.argv.slice(2)
  writeFileSync(join(directory, 'weir.yaml'), renderManifest(directory))
}
