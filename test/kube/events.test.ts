// What does not fit, or is not understood, is told at the object that it concerns: once, in all,
// by whoever of the agents is first, and without anybody waiting for it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Condition } from '../../src/kube/conditions.ts'
import type { FakeApiServer } from './api-server.ts'
import { type Scene, service, setScene, until } from './scene.ts'

interface Told {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly reason: string
  readonly note: string
  readonly regarding: { readonly kind: string; readonly name: string; readonly uid: string }
}

const told = (server: FakeApiServer) => server.state.list('events') as unknown as Told[]
const asked = ({ server }: Scene) => server.requests.filter(({ verb }) => verb === 'create').length

/** So many looks that what is to be told has been. */
const someLooks = () => sleep(200)

const condition = (name: string, more: Partial<Condition> = {}): Condition => ({
  reason: 'ServiceNotServed',
  about: { apiVersion: 'v1', kind: 'Service', namespace: 'default', name, uid: `uid-${name}` },
  text: `Cannot serve default/${name}: map services is full`,
  ...more,
})

test('a condition is an Event of its object, once for all agents', async () => {
  const conditions = () => [condition('web-1')]
  await using scene = await setScene({ conditions })
  await until(() => told(scene.server).length === 1)
  const [event] = told(scene.server)
  assert.match(event?.metadata.name ?? '', /^web-1\.[0-9a-f]{16}$/)
  const { eventTime, ...rest } = event as unknown as Record<string, unknown>
  assert.match(String(eventTime), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  const { metadata: _, ...fields } = rest
  assert.deepEqual(fields, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    reportingController: 'weir.io/agent',
    reportingInstance: 'node-1',
    action: 'Apply',
    type: 'Warning',
    reason: 'ServiceNotServed',
    regarding: {
      ...{ apiVersion: 'v1', kind: 'Service' },
      ...{ namespace: 'default', name: 'web-1', uid: 'uid-web-1' },
    },
    note: 'node-1: Cannot serve default/web-1: map services is full',
  })
  const access = { apiServers: [scene.server.url] }
  await using other = await setScene({ conditions, access, nodeName: 'node-2' })
  await until(() => asked(scene) === 2)
  await someLooks()
  assert.deepEqual([told(scene.server).length, asked(scene), asked(other)], [1, 2, 0])
})

test('what passes within a look is not told, and a look tells no more than ten', async () => {
  const many = ['A', 'B'].flatMap((reason) =>
    Array.from({ length: 12 }, (_, n) => condition(`web-${n}`, { reason })),
  )
  const atLook: number[] = []
  let server: FakeApiServer | undefined
  await using scene = await setScene({
    prepare: (prepared) => {
      server = prepared
    },
    conditions: () => {
      atLook.push(server ? told(server).length : 0)
      return atLook.length === 1 ? [condition('passing'), ...many] : many
    },
  })
  await until(() => told(scene.server).length === 24)
  assert.deepEqual(atLook.slice(0, 4), [0, 0, 10, 20])
  assert.ok(told(scene.server).every(({ regarding }) => regarding.name !== 'passing'))
})

test('of one reason the first twenty by name are told, whatever their order', async () => {
  const numbers = Array.from({ length: 30 }, (_, n) => 10 + n)
  const order = [...numbers.slice(15), ...numbers.slice(0, 15)]
  await using scene = await setScene({ conditions: () => order.map((n) => condition(`web-${n}`)) })
  await until(() => told(scene.server).length === 20)
  await someLooks()
  const names = told(scene.server).map(({ regarding }) => regarding.name)
  assert.deepEqual(
    names.sort(),
    numbers.slice(0, 20).map((n) => `web-${n}`),
  )
})

test('objects that are not served, or not understood, are told as such', async () => {
  await using scene = await setScene()
  const { state } = scene.server
  const sctp = service(7)
  const ports = [{ name: 'sctp', protocol: 'SCTP', port: 9 }]
  state.put('services', {
    metadata: { ...sctp.metadata, uid: 'u-7' },
    spec: { ...sctp.spec, ports },
  })
  state.put('services', { ...service(8, 0), metadata: { ...service(8).metadata, uid: 'u-8' } })
  await until(() => told(scene.server).length === 2)
  const summary = told(scene.server).map(({ reason, regarding, note }) => {
    return `${reason} ${regarding.uid} ${note}`
  })
  assert.deepEqual(summary.sort(), [
    'NotSupported u-7 node-1: Service default/web-7: port 9/SCTP is not served, ' +
      'for SCTP is not supported',
    'NotUsable u-8 node-1: Cannot use Service default/web-8: spec.ports[0].port is 0; ' +
      'give a whole number from 1 to 65535',
  ])
})

test('a node is told in namespace default, and what is too long is cut', async () => {
  const about = { apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: 'node-1' }
  const text = 'ä'.repeat(1000)
  await using scene = await setScene({ conditions: () => [condition('', { about, text })] })
  await until(() => told(scene.server).length === 1)
  const [{ metadata, note } = assert.fail()] = told(scene.server)
  assert.equal(metadata.namespace, 'default')
  assert.ok(Buffer.byteLength(note) <= 1024 && note.endsWith('ä...'))
})

test('a server that is away is asked again, and the cluster is followed meanwhile', async () => {
  await using scene = await setScene({
    conditions: () => [condition('web-1'), condition('web-2')],
    prepare: (server) => {
      server.failNext('create', 'events', { kind: 'reset' })
      server.failNext('create', 'events', { kind: 'status', status: 503 })
      server.failNext('create', 'events', { kind: 'silent' })
      server.failNext('create', 'events', { kind: 'garbage' })
    },
  })
  await scene.converged()
  await until(() => told(scene.server).length === 2)
  const about = scene.logged.filter((line) => /events/i.test(line))
  assert.deepEqual(about, [
    'warn Cannot write events, weir status says the same',
    'info Events can be written again',
  ])
})

test('without the right to write Events they are left, one by one', async () => {
  await using scene = await setScene({
    conditions: () => [condition('web-1'), condition('web-2')],
    prepare: (server) => {
      server.fault = ({ verb }) => (verb === 'create' ? { kind: 'status', status: 403 } : undefined)
    },
  })
  await until(() => asked(scene) === 2)
  await someLooks()
  assert.equal(asked(scene), 2)
  await scene.converged()
})

test('stopping waits for no Event', async () => {
  const scene = await setScene({
    conditions: () => [condition('web-1')],
    prepare: (server) => server.failNext('create', 'events', { kind: 'silent' }),
    timings: { answerMs: 600_000 },
  })
  await until(() => asked(scene) === 1)
  await scene[Symbol.asyncDispose]()
})
