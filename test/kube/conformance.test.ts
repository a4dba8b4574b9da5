// An API server that misbehaves in every known way, over real connections: each case ends with
// tables equal to what the server has.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClusterState } from './cluster-state.ts'
import { pod, populate, type Scene, type SceneOptions, service, setScene, slice } from './scene.ts'
import { encodeEvent } from './wire.ts'

/** Every case with each encoding, and with each way to list. */
const WAYS: readonly (readonly [name: string, options: SceneOptions])[] = [
  ['WatchList, protobuf', {}],
  ['WatchList, JSON', { encodings: ['json'] }],
  ['pages, protobuf', { watchList: false }],
  ['pages, JSON', { watchList: false, encodings: ['json'] }],
]

/** Changes of every sort; ends with another truth. */
function change({ server: { state } }: Scene, from = 10): void {
  state.put('pods', pod(from))
  state.put('pods', pod(1, 'Succeeded'))
  state.delete('pods', 'default/pod-2')
  state.put('services', service(1, 8000 + from))
  state.put('endpointslices', slice(2, 7))
  state.delete('endpointslices', 'default/web-1-abc')
}

for (const [name, way] of WAYS) {
  describe(`list and watch by ${name}`, () => {
    test('follows what the server has', async () => {
      await using scene = await setScene(way)
      await scene.converged()
      change(scene)
      await scene.converged()
      const { errors, kinds } = scene.source.health()
      assert.deepEqual(errors, [])
      assert.ok(kinds?.every(({ relists, garbled }) => relists === 0 && garbled === 0))
    })

    test('reads pages', async () => {
      const prepare: SceneOptions['prepare'] = (server) => {
        server.pageSize = 3
        for (let n = 10; n < 60; n++) server.state.put('pods', pod(n))
      }
      await using scene = await setScene({ ...way, prepare })
      await scene.converged()
    })

    test('survives half an answer, cut or ended', async () => {
      const prepare: SceneOptions['prepare'] = (server) => {
        for (const bytes of [3, 40, 300, 700]) {
          for (const verb of ['list', 'watch'] as const) {
            server.failNext(verb, 'pods', { kind: 'cut', bytes })
            server.failNext(verb, 'services', { kind: 'end', bytes })
          }
        }
      }
      await using scene = await setScene({ ...way, prepare })
      await scene.converged()
      change(scene)
      await scene.converged()
    })

    test('survives 429, 500, 503, resets and a proxy that answers with a page', async () => {
      const prepare: SceneOptions['prepare'] = (server) => {
        for (const verb of ['list', 'watch', 'look'] as const) {
          for (const status of [429, 500, 503])
            server.failNext(verb, '*', { kind: 'status', status })
          server.failNext(verb, '*', { kind: 'reset' })
          server.failNext(verb, '*', { kind: 'garbage' })
        }
      }
      await using scene = await setScene({ ...way, prepare })
      await scene.converged()
    })

    test('resumes after lost connections without a new list', async () => {
      await using scene = await setScene(way)
      await scene.converged()
      const resumed = (times: number) =>
        until(() => !!scene.source.health().kinds?.every(({ reconnects }) => reconnects >= times))
      for (let n = 0; n < 3; n++) {
        scene.server.dropConnections()
        change(scene, 20 + n)
        await resumed(2 * n + 1)
        await scene.converged()
        scene.server.endWatches()
        change(scene, 30 + n)
        await resumed(2 * n + 2)
        await scene.converged()
      }
      const { kinds } = scene.source.health()
      assert.ok(kinds?.every(({ relists }) => relists === 0))
    })

    for (const how of ['an event', 'the answer'] as const) {
      test(`lists anew after 410 in ${how}, also between list and watch`, async () => {
        const prepare: SceneOptions['prepare'] = (server) => {
          server.refusesTooOld = how === 'the answer'
          server.failNext('watch', 'pods', { kind: 'status', status: 410 })
        }
        await using scene = await setScene({ ...way, prepare })
        await scene.converged()
        await scene.server.close()
        change(scene)
        scene.server.state.compact()
        await scene.server.open()
        await scene.converged()
        assert.ok(scene.source.health().kinds?.every(({ relists }) => relists >= 1))
      })
    }

    test('begins to page anew after 410 in the middle', async () => {
      const prepare: SceneOptions['prepare'] = (server) => {
        server.pageSize = 2
        let pages = 0
        server.fault = ({ query }) => {
          if (!query.has('continue') || ++pages !== 2) return undefined
          server.state.delete('pods', 'default/pod-1')
          server.state.compact()
          return undefined
        }
      }
      await using scene = await setScene({ ...way, prepare })
      await scene.converged()
    })

    test('never passes over what it cannot read: counts it and lists anew', async () => {
      await using scene = await setScene(way)
      await scene.converged()
      const bad = { json: '{"type":"ADDED","object":{"meta\n', protobuf: '\0\0\0\x05weird' }
      scene.server.writeToWatches('pods', (encoding) => bad[encoding])
      change(scene)
      await scene.converged()
      const pods = scene.source.health().kinds?.find(({ kind }) => kind === 'Pod')
      assert.ok(pods && pods.garbled >= 1 && pods.relists >= 1)
    })

    test('ERROR events lead to a new list', async () => {
      await using scene = await setScene(way)
      await scene.converged()
      const object = { code: 500, message: 'etcd went away' }
      scene.server.writeToWatches('services', (encoding) =>
        encodeEvent(encoding, 'services', { type: 'ERROR', object }),
      )
      change(scene)
      await scene.converged()
      const services = scene.source.health().kinds?.find(({ kind }) => kind === 'Service')
      assert.equal(services?.relists, 1)
    })

    test('duplicate and reordered events converge', async () => {
      await using scene = await setScene(way)
      await scene.converged()
      let held: Buffer | undefined
      let turn = 0
      scene.server.mischief = (stream, bytes) => {
        turn++
        if (turn % 3 === 0) for (const each of [bytes, bytes]) stream.write(each)
        else if (held) {
          stream.write(Buffer.concat([bytes, held]))
          held = undefined
        } else held = bytes
      }
      for (let n = 0; n < 12; n++) {
        scene.server.state.put('pods', pod(n, n % 2 ? 'Running' : 'Failed'))
        scene.server.state.delete('pods', `default/pod-${n - 2}`)
      }
      scene.server.mischief = undefined
      scene.server.dropConnections()
      await scene.converged()
    })

    test('an older event that comes last does not stay', async () => {
      await using scene = await setScene(way)
      await scene.converged()
      let first: Buffer | undefined
      scene.server.mischief = (stream, bytes) => {
        if (first) stream.write(Buffer.concat([bytes, first]))
        first = first ? undefined : bytes
      }
      scene.server.state.put('pods', pod(1, 'Pending'))
      scene.server.state.put('pods', pod(1, 'Failed'))
      scene.server.mischief = undefined
      await scene.converged()
    })

    test('an object with wrong types keeps its row and is reported by name', async () => {
      const { encodings } = way
      if (!encodings) return // Protobuf has no wrong types; values that are wrong come below.
      await using scene = await setScene(way)
      await scene.converged()
      const before = scene.tables.services.get('default/web-1')
      scene.server.distort = (object) =>
        object.metadata.name === 'web-1'
          ? { ...object, spec: { clusterIP: 7, ports: 'all' } }
          : object
      scene.server.state.put('services', service(1, 9999))
      await until(() => scene.source.health().errors.length > 0)
      assert.deepEqual(scene.tables.services.get('default/web-1'), before)
      const kind = scene.source.health().kinds?.find((each) => each.kind === 'Service')
      assert.deepEqual(kind?.badObjects, ['default/web-1'])
      scene.server.distort = (object) => object
      scene.server.state.put('services', service(1, 9998))
      await scene.converged()
      assert.deepEqual(scene.source.health().errors, [])
    })

    test('the server away: rows stay; back with other content: rows follow', async () => {
      await using scene = await setScene(way)
      await scene.converged()
      const pods = scene.tables.pods.size
      await scene.server.close()
      await sleep(150)
      assert.equal(scene.tables.pods.size, pods)
      assert.match(
        scene.source.health().errors[0]?.message ?? '',
        /No connection for .*ECONNREFUSED/,
      )
      const { revision } = scene.server.state
      // Another cluster, whose versions happen to go on where the old one's ended.
      scene.server.state = new ClusterState({ revision })
      scene.server.state.compactedAt = 0
      scene.server.state.put('pods', pod(77))
      scene.server.state.put('nodes', { metadata: { name: 'node-9' } })
      await scene.server.open()
      await scene.converged()
    })

    test('the server back with an older state of the same cluster', async () => {
      await using scene = await setScene(way)
      await scene.converged()
      const { uid } = scene.server.state
      change(scene)
      await scene.converged()
      await scene.server.close()
      const restored = new ClusterState({ uid, revision: 100 })
      populate(restored)
      restored.compactedAt = 0
      scene.server.state = restored
      await scene.server.open()
      await scene.converged()
    })

    test('a quiet watch is left alone for as long as bookmarks take', async () => {
      await using scene = await setScene({ ...way, timings: { answerMs: 40, silenceMs: 5000 } })
      await scene.converged()
      await sleep(150)
      const { kinds } = scene.source.health()
      assert.ok(kinds?.every(({ reconnects, relists }) => reconnects + relists === 0))
    })

    test('silence is noticed and the watch is made anew', async () => {
      await using scene = await setScene({ ...way, timings: { silenceMs: 120, answerMs: 120 } })
      await scene.converged()
      scene.server.mischief = () => {}
      change(scene)
      await sleep(50)
      scene.server.mischief = undefined
      await scene.converged()
      for (const verb of ['watch', 'list', 'look'] as const) {
        scene.server.failNext(verb, '*', { kind: 'silent' })
      }
      scene.server.dropConnections()
      change(scene, 40)
      await scene.converged()
    })

    test('bookmarks alone move the place where a watch resumes', async () => {
      await using scene = await setScene(way)
      await scene.converged()
      for (let n = 0; n < 5; n++) scene.server.state.put('pods', pod(n, 'Pending'))
      scene.server.sendBookmarks()
      await scene.converged()
      await sleep(20)
      const { revision } = scene.server.state
      scene.server.state.compact()
      scene.server.requests.length = 0
      scene.server.dropConnections()
      await sleep(20)
      await scene.converged()
      const watches = scene.server.requests.filter(({ verb }) => verb === 'watch')
      assert.ok(watches.length >= 5)
      assert.ok(watches.every(({ query }) => query.get('resourceVersion') === String(revision)))
    })
  })
}

async function until(condition: () => boolean): Promise<void> {
  const endsAt = performance.now() + 10_000
  while (!condition()) {
    assert.ok(performance.now() < endsAt, `never: ${condition}`)
    await sleep(5)
  }
}
