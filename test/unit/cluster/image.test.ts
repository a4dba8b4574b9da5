// An image archive is read back with tar, as a runtime does.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { packImage } from '../../../src/cluster/image.ts'
import { productionModules, WEIR_FILES } from '../../../src/cluster/images.ts'
import { run } from '../../../src/lab/run.ts'

async function pack(directory: string): Promise<string> {
  const root = join(directory, 'root')
  mkdirSync(join(root, 'bin'), { recursive: true })
  writeFileSync(join(root, 'bin', 'program'), 'text', { mode: 0o755 })
  const archive = join(directory, 'image.tar')
  await packImage(
    { names: ['weir.test/image:1', 'weir.test/other:1'], root, entrypoint: ['/bin/program'] },
    archive,
  )
  return archive
}

test('packImage() names every blob by its digest', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-image-'))
  try {
    const archive = await pack(directory)
    assert.deepEqual(readdirSync(directory).sort(), ['image.tar', 'root'])
    await run('unpack the image', 'tar', ['-xf', archive, '-C', directory])
    const blobs = join(directory, 'blobs', 'sha256')
    for (const name of readdirSync(blobs)) {
      const bytes = readFileSync(join(blobs, name))
      assert.equal(createHash('sha256').update(bytes).digest('hex'), name)
    }
    const readBlob = ({ digest }: { digest: string }) =>
      JSON.parse(readFileSync(join(blobs, digest.replace('sha256:', '')), 'utf8'))
    const index = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'))
    const [entry, other] = index.manifests
    assert.equal(other.annotations['io.containerd.image.name'], 'weir.test/other:1')
    assert.equal(other.digest, entry.digest)
    assert.equal(entry.annotations['io.containerd.image.name'], 'weir.test/image:1')
    const manifest = readBlob(entry)
    const config = readBlob(manifest.config)
    assert.deepEqual(config.config.Entrypoint, ['/bin/program'])
    assert.deepEqual(config.rootfs.diff_ids, [manifest.layers[0].digest])
    const layer = join(blobs, manifest.layers[0].digest.replace('sha256:', ''))
    assert.match(await run('list the layer', 'tar', ['-tvf', layer]), /-rwxr-xr-x 0\/0 .*program/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('packImage() makes the same image of the same files', async () => {
  const digests: string[] = []
  for (let round = 0; round < 2; round++) {
    const directory = mkdtempSync(join(tmpdir(), 'weir-image-'))
    try {
      const archive = await pack(directory)
      await run('unpack the image', 'tar', ['-xf', archive, '-C', directory])
      digests.push(readFileSync(join(directory, 'index.json'), 'utf8'))
    } finally {
      rmSync(directory, { recursive: true })
    }
  }
  assert.equal(digests[0], digests[1])
})

test('productionModules() leaves out what is for development, and what lies inside another', () => {
  const packages = {
    '': {},
    'node_modules/a': {},
    'node_modules/a/node_modules/b': {},
    'node_modules/c': { dev: true },
    'node_modules/d': { devOptional: true },
    'node_modules/@scope/e': { optional: true },
  }
  assert.deepEqual(productionModules(JSON.stringify({ packages })), [
    'node_modules/a',
    'node_modules/@scope/e',
  ])
})

test('the image that is packed here holds what the Dockerfile takes into its last stage', () => {
  const dockerfile = readFileSync(new URL('../../../Dockerfile', import.meta.url), 'utf8')
  const lines = [...dockerfile.matchAll(/^COPY --from=build (.*) \S+$/gm)]
  const copied = lines.flatMap(([, paths = '']) => paths.split(' '))
  assert.deepEqual(
    copied.map((path) => path.replace('/weir/', '')).filter((path) => path !== 'node_modules'),
    WEIR_FILES,
  )
})
