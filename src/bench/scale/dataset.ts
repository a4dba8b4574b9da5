// A big cluster's objects in etcd: written once through a real API server, then kept as etcd's data
// directory. Every run works on a copy, so that all begin with the same.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory, KUBERNETES_VERSION } from '../../cluster/paths.ts'
import { run } from '../../lab/run.ts'
import { inParallel } from './api-client.ts'
import type { Dataset, Stored, Wanted } from './objects.ts'
import type { ApiPlace } from './place.ts'

/** Operations that etcd takes in one transaction. */
const OPERATIONS = 128

/** Starts the place's API server on a dataset. `extra` are objects of this run, not kept. */
export async function serveDataset(
  place: ApiPlace,
  dataset: Dataset,
  extra: readonly Wanted[],
  say: (line: string) => void,
): Promise<void> {
  const kept = keptDirectory(dataset)
  await place.stopServer()
  if (!existsSync(kept)) {
    say(`Writing ${dataset.text} through the API server, once`)
    rmSync(place.etcdDirectory, { recursive: true, force: true })
    await place.startServer()
    const startedAt = performance.now()
    const ranks = dataset.ranks()
    for (const rank of ranks) await inParallel(rank, (wanted) => create(place, wanted))
    const stored = dataset.stored()
    await store(place, stored)
    const count = ranks.reduce((sum, rank) => sum + rank.length, stored.length)
    say(`Wrote ${count} objects in ${Math.round((performance.now() - startedAt) / 1000)} s`)
    await place.stopServer()
    await copyDirectory(place.etcdDirectory, kept)
  } else await copyDirectory(kept, place.etcdDirectory)
  await place.startServer()
  await inParallel(extra, (wanted) => create(place, wanted), 8)
}

function keptDirectory({ from: [version, shape] }: Dataset): string {
  const text = JSON.stringify([version, KUBERNETES_VERSION, shape])
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12)
  return join(cacheDirectory(), 'bench', `etcd-${digest}`)
}

async function create({ client }: ApiPlace, { path, object, status }: Wanted): Promise<void> {
  await client.ask('POST', path, object)
  if (status === undefined) return
  const at = `${path}/${object.metadata.name}/status`
  const headers = { apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata }
  await client.ask('PUT', at, { ...object, ...headers, status })
}

/** Puts objects into etcd, as many at a time as a transaction takes. */
async function store({ askEtcd }: ApiPlace, objects: readonly Stored[]): Promise<void> {
  const encode = (text: string) => Buffer.from(text).toString('base64')
  for (let at = 0; at < objects.length; at += OPERATIONS) {
    const success = objects.slice(at, at + OPERATIONS).map(({ key, object }) => ({
      requestPut: { key: encode(key), value: encode(JSON.stringify(object)) },
    }))
    await askEtcd('/v3/kv/txn', { success })
  }
}

/** Appears whole or not at all. */
async function copyDirectory(from: string, to: string): Promise<void> {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(join(to, '..'), { recursive: true })
  rmSync(`${to}.new`, { recursive: true, force: true })
  await run('copy etcd', 'cp', ['-a', '--reflink=auto', from, `${to}.new`], { timeoutMs: 300_000 })
  renameSync(`${to}.new`, to)
}
