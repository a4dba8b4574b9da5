// Packs a directory as an OCI image of one layer, in a tar that containerd imports. No engine, no
// registry: an image is two JSON files and a tar, each named by its digest.
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from '../lab/run.ts'

export interface Image {
  /** With registry and tag, as the runtime looks for it; one image may have several. */
  readonly names: readonly string[]
  /** The root file system. */
  readonly root: string
  readonly entrypoint: readonly string[]
  /** Arguments when a pod gives none. */
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly workingDirectory?: string
}

interface Blob {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

const OCI = 'application/vnd.oci.image'

/** Writes the archive by rename. */
export async function packImage(image: Image, archive: string): Promise<void> {
  const work = `${archive}.work`
  const blobs = join(work, 'blobs', 'sha256')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(blobs, { recursive: true })
  const layer = await packLayer(image.root, work)
  const config = writeBlob(blobs, `${OCI}.config.v1+json`, configOf(image, layer))
  const manifest = writeBlob(blobs, `${OCI}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config,
    layers: [layer],
  })
  const manifests = image.names.map((name) => {
    return { ...manifest, annotations: { 'io.containerd.image.name': name } }
  })
  const index = { schemaVersion: 2, manifests }
  writeFileSync(join(work, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(work, 'index.json'), JSON.stringify(index))
  mkdirSync(dirname(archive), { recursive: true })
  const files = ['oci-layout', 'index.json', 'blobs']
  await run(`pack ${image.names[0]}`, 'tar', ['-cf', `${archive}.new`, '-C', work, ...files])
  rmSync(work, { recursive: true })
  renameSync(`${archive}.new`, archive)
}

/** The same files give the same layer: names are sorted, times and owners are nobody's. */
async function packLayer(root: string, work: string): Promise<Blob> {
  const path = join(work, 'layer')
  const steady = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
  await run('pack a layer', 'tar', ['-cf', path, ...steady, '-C', root, '.'])
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  const digest = hash.digest('hex')
  const { size } = statSync(path)
  renameSync(path, join(work, 'blobs', 'sha256', digest))
  return { mediaType: `${OCI}.layer.v1.tar`, digest: `sha256:${digest}`, size }
}

function writeBlob(blobs: string, mediaType: string, content: object): Blob {
  const bytes = Buffer.from(JSON.stringify(content))
  const digest = createHash('sha256').update(bytes).digest('hex')
  writeFileSync(join(blobs, digest), bytes)
  return { mediaType, digest: `sha256:${digest}`, size: bytes.length }
}

function configOf(image: Image, layer: Blob): object {
  const { entrypoint, command = [], environment = {}, workingDirectory = '/' } = image
  return {
    architecture: 'amd64',
    os: 'linux',
    config: {
      Entrypoint: entrypoint,
      Cmd: command,
      Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      WorkingDir: workingDirectory,
    },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  }
}
