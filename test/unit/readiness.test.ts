// The gate before a pod runs: what is asked for now is waited for, and what fails is said.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inForce } from '../../src/readiness.ts'
import { Reconciler } from '../../src/state/reconciler.ts'
import type { Frontend } from '../../src/tables/desired.ts'
import { createTables } from '../../src/tables/tables.ts'
import { address, endpoint } from './api/rows.ts'

function frontend(port: number, changes: Partial<Frontend> = {}): Frontend {
  return {
    ...{ address: address('192.0.2.1'), port, protocol: 'TCP', service: 'shop/front' },
    ...{ portName: '', kind: 'HostPort', backends: [], externalBackends: [] },
    ...{ whenEmpty: 'refuse', externalWhenEmpty: 'refuse', affinitySeconds: 0 },
    ...{ balancing: 'random', forwarding: 'snat' },
    ...changes,
  }
}

/** Frontends whose reconciler waits until `release`; ports in `refused` fail. */
function setUp(refused: readonly number[] = []) {
  const { frontends } = createTables()
  const { promise, resolve: release } = Promise.withResolvers<void>()
  const reconciler = new Reconciler(frontends, {
    update: async (rows) => {
      await promise
      const failed = rows.filter(({ port }) => refused.includes(port))
      return new Map(failed.map((row) => [frontends.keyOf(row), new Error('map is full')]))
    },
    delete: async () => new Map(),
  })
  const settled = (key: string) => reconciler.settled(key)
  return { frontends, reconciler, release, options: { tables: { frontends }, settled } }
}

const soon = <T>(promise: Promise<T>): Promise<T | 'waits'> =>
  Promise.race([promise, new Promise<'waits'>((r) => setTimeout(r, 20, 'waits'))])

test('a pod waits for the first list and for what is pending then', async (t) => {
  const { frontends, reconciler, release, options } = setUp()
  t.after(() => reconciler.stop())
  const ready = inForce(endpoint(), options).then(() => 'ready')
  assert.equal(await soon(ready), 'waits', 'nothing was listed yet')
  frontends.upsert(frontend(80))
  frontends.markInitialized()
  reconciler.start()
  assert.equal(await soon(ready), 'waits', 'a frontend is on its way')
  release()
  assert.equal(await soon(ready), 'ready')
  frontends.delete(frontends.keyOf(frontend(80)))
  assert.equal(await inForce(endpoint(), options), undefined)
})

test('a row derived from the endpoint in the same turn is waited for', async (t) => {
  const { frontends, reconciler, release, options } = setUp()
  t.after(() => reconciler.stop())
  frontends.markInitialized()
  reconciler.start()
  await reconciler.idle()
  setImmediate(() => frontends.upsert(frontend(80)))
  const ready = inForce(endpoint(), options).then(() => 'ready')
  assert.equal(await soon(ready), 'waits')
  release()
  assert.equal(await soon(ready), 'ready')
})

test("only the pod's own host ports fail it, with the reason", async (t) => {
  const { frontends, reconciler, release, options } = setUp([80])
  t.after(() => reconciler.stop())
  release()
  frontends.markInitialized()
  reconciler.start()
  frontends.upsert(frontend(80))
  const hostPorts = [{ hostPort: 80, containerPort: 8080, protocol: 'TCP' as const }]
  await assert.rejects(inForce(endpoint({ hostPorts }), options), {
    message: 'host port 192.0.2.1:80/TCP: map is full',
  })
  await inForce(endpoint({ hostPorts, podName: 'other' }), options)
  await inForce(endpoint(), options)
})

test('policy comes last, and its failure is the pod', async (t) => {
  const { frontends, reconciler, options } = setUp()
  t.after(() => reconciler.stop())
  frontends.markInitialized()
  const policySettled = async ({ podName }: { podName: string }) => {
    throw new Error(`policy of ${podName} does not fit`)
  }
  await assert.rejects(inForce(endpoint(), { ...options, policySettled }), /front does not fit/)
})
