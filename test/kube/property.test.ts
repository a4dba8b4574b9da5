// Whatever the server does, in whatever order: once it behaves again, the tables converge. The seed
// is in the test's name; SEED=n runs one again.
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { below, fuzzSeed, pick, randomFrom } from '../support/random.ts'
import type { FakeApiServer } from './api-server.ts'
import { ClusterState } from './cluster-state.ts'
import { node, pod, populate, service, setScene, slice } from './scene.ts'
import type { Fault, Mischief, Stream } from './streams.ts'

const ROUNDS = 8
const STEPS = 60

type Random = () => number

for (let round = 0; round < ROUNDS; round++) {
  const seed = (fuzzSeed() + round) >>> 0
  test(`a server that does anything: converges (seed ${seed})`, async () => {
    const random = randomFrom(seed)
    await using scene = await setScene({
      watchList: random() < 0.5,
      ...(random() < 0.3 ? { encodings: ['json'] as const } : {}),
      timings: { silenceMs: 150, answerMs: 150, connectMs: 150 },
      prepare: (server) => misbehave(server, random),
    })
    for (let step = 0; step < STEPS; step++) {
      await act(scene.server, random)
      if (random() < 0.3) await sleep(below(random, 12))
    }
    scene.server.fault = undefined
    scene.server.mischief = undefined
    scene.server.pageSize = 500
    // What is held back now would be lost in a stream that lives on.
    scene.server.dropConnections()
    await scene.converged()
  })
}

function misbehave(server: FakeApiServer, random: Random): void {
  server.pageSize = 1 + below(random, 4)
  server.fault = () => (random() < 0.25 ? someFault(random) : undefined)
  server.mischief = someMischief(random)
}

function someFault(random: Random): Fault {
  const kind = pick(random, ['status', 'reset', 'silent', 'garbage', 'cut', 'end'] as const)
  if (kind === 'cut' || kind === 'end') return { kind, bytes: below(random, 900) }
  if (kind !== 'status') return { kind }
  return { kind, status: pick(random, [401, 403, 404, 410, 422, 429, 500, 503, 504] as const) }
}

/**
 * Duplicates, swaps, cuts and spoils events, and sends them byte by byte. It never passes one over
 * for good while it sends later ones: nobody could know.
 */
function someMischief(random: Random): Mischief {
  const held = new WeakMap<Stream, Buffer>()
  return (stream, bytes) => {
    const earlier = held.get(stream)
    held.delete(stream)
    const luck = random()
    if (earlier) stream.write(Buffer.concat([bytes, earlier]))
    else if (luck < 0.6) stream.write(bytes)
    else if (luck < 0.7) for (const each of [bytes, bytes]) stream.write(each)
    else if (luck < 0.8) held.set(stream, bytes)
    else if (luck < 0.85) for (const each of bytes) stream.write(Buffer.of(each))
    else if (luck < 0.93) {
      stream.write(bytes.subarray(0, below(random, bytes.length)))
      stream.end()
    } else stream.write(spoiled(bytes, stream))
  }
}

/** Cannot be read any more: a bracket of the wrong sort, or a wire type that there is not. */
function spoiled(bytes: Buffer, { encoding }: Stream): Buffer {
  const copy = Buffer.from(bytes)
  copy[encoding === 'json' ? 0 : 4] = encoding === 'json' ? 0x5b : 0x0f
  return copy
}

async function act(server: FakeApiServer, random: Random): Promise<void> {
  const { state } = server
  const n = below(random, 12)
  const luck = random()
  if (luck < 0.25) state.put('pods', pod(n, pick(random, ['Running', 'Failed', 'Pending'])))
  else if (luck < 0.35) state.put('services', service(n, 1 + below(random, 9000)))
  else if (luck < 0.45) state.put('endpointslices', slice(n, below(random, 9)))
  else if (luck < 0.5) state.put('nodes', node(n))
  else if (luck < 0.7) {
    const plural = pick(random, ['pods', 'services', 'endpointslices', 'nodes'])
    const keys = state.keys(plural)
    if (keys.length > 0) state.delete(plural, pick(random, keys))
  } else if (luck < 0.75) state.compact()
  else if (luck < 0.8) server.dropConnections()
  else if (luck < 0.84) server.endWatches()
  else if (luck < 0.88) server.sendBookmarks()
  else if (luck < 0.92) server.writeToWatches('pods', () => '{"type":"ADD\n\0\0\n')
  else if (luck < 0.96) await restart(server, random)
  else server.watchList = !server.watchList
}

/** Away and back: as it was, restored from a backup, or as another cluster. */
async function restart(server: FakeApiServer, random: Random): Promise<void> {
  await server.close()
  if (random() < 0.5) await sleep(below(random, 30))
  const { uid, revision } = server.state
  const luck = random()
  if (luck < 0.6) {
    // A backup is restored as etcd's manual has it: with revisions beyond all that were seen, and
    // without history. Without that nobody can tell the two pasts apart.
    const isBackup = luck < 0.3
    const options = isBackup
      ? { uid, revision: revision + 1000 }
      : { revision: revision - below(random, 30) }
    server.state = new ClusterState(options)
    populate(server.state)
    server.state.compactedAt = isBackup ? server.state.revision : 0
  }
  await server.open()
}
