// Workloads to pods: names, spread, ports, and that applying again moves nobody.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Notes } from '../../../src/lab/manifests/notes.ts'
import { type PlannedPod, planPods } from '../../../src/lab/manifests/plan.ts'
import { readText } from '../../../src/lab/manifests/read.ts'

const NODES = [{ name: 'node1' }, { name: 'node2' }]

interface Shape {
  readonly spec?: object
  readonly pod?: object
  readonly containers?: readonly object[]
}

function workload(kind: string, name: string, { spec, pod, containers }: Shape = {}): object {
  const template = {
    metadata: { labels: { app: name } },
    spec: { containers: containers ?? [{ name: 'c' }], ...pod },
  }
  return { apiVersion: 'apps/v1', kind, metadata: { name }, spec: { template, ...spec } }
}

function plan(objects: readonly object[], present: readonly PlannedPod[] = []) {
  const notes = new Notes()
  const read = objects.flatMap((object) => readText(JSON.stringify(object), 'test', []))
  const pods = planPods(read, NODES, present, notes)
  return { pods, notes: notes.list(), places: pods.map(({ name, node }) => `${name}@${node}`) }
}

test('planPods() spreads a Deployment over the nodes', () => {
  const { places } = plan([workload('Deployment', 'web', { spec: { replicas: 3 } })])
  assert.deepEqual(places, ['web-0@node1', 'web-1@node2', 'web-2@node1'])
})

test('planPods() puts the next workload where there is least', () => {
  const one = workload('Deployment', 'one', { spec: { replicas: 1 } })
  assert.deepEqual(plan([one, workload('StatefulSet', 'two')]).places, [
    'one-0@node1',
    'two-0@node2',
  ])
})

test('planPods() gives a DaemonSet a pod on every node, or on the one its selector names', () => {
  assert.deepEqual(plan([workload('DaemonSet', 'ds')]).places, ['ds-node1@node1', 'ds-node2@node2'])
  const pod = { nodeSelector: { 'kubernetes.io/hostname': 'node2', 'kubernetes.io/os': 'linux' } }
  assert.deepEqual(plan([workload('DaemonSet', 'ds', { pod })]).places, ['ds-node2@node2'])
})

test('planPods() respects nodeName and says when no node fits', () => {
  const at = (pod: object) => plan([workload('Deployment', 'web', { pod })])
  assert.deepEqual(at({ nodeName: 'node2' }).places, ['web-0@node2'])
  const nowhere = at({ nodeSelector: { disk: 'ssd' } })
  assert.deepEqual(nowhere.places, [])
  assert.deepEqual(nowhere.notes, [
    'Deployment default/web: no node of the lab fits its nodeName or nodeSelector',
  ])
})

test('planPods() runs a Job by its parallelism and a Pod as it is', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'solo', labels: { app: 'solo' } },
    spec: { containers: [{ name: 'c', ports: [{ containerPort: 80 }] }] },
  }
  const { pods, places } = plan([workload('Job', 'job', { spec: { parallelism: 2 } }), pod])
  assert.deepEqual(places, ['job-0@node1', 'job-1@node2', 'solo@node1'])
  assert.deepEqual(pods[2]?.labels, { app: 'solo' })
  assert.deepEqual(pods[2]?.ports, [{ name: '', port: 80, protocol: 'TCP' }])
})

test('planPods() gathers the ports of all containers once, and names what it passes over', () => {
  const containers = [
    {
      name: 'a',
      image: 'nginx',
      env: [{ name: 'X', value: '1' }],
      ports: [
        { containerPort: 80, name: 'http' },
        { containerPort: 53, protocol: 'UDP' },
      ],
    },
    {
      name: 'b',
      image: 'envoy',
      ports: [{ containerPort: 80 }, { containerPort: 9, protocol: 'SCTP' }],
    },
  ]
  const { pods, notes } = plan([
    workload('Deployment', 'web', { containers, pod: { volumes: [{ name: 'v' }] } }),
  ])
  assert.deepEqual(pods[0]?.ports, [
    { name: '', port: 80, protocol: 'TCP' },
    { name: '', port: 53, protocol: 'UDP' },
  ])
  assert.deepEqual(notes, [
    'container.env',
    'container.image',
    'pod.volumes',
    'port of protocol SCTP',
  ])
})

test('planPods() leaves pods where they are when more are asked for', () => {
  const before = plan([
    workload('Deployment', 'old', { spec: { replicas: 1 } }),
    workload('Deployment', 'web', { spec: { replicas: 2 } }),
  ]).pods
  assert.equal(before.find(({ name }) => name === 'web-0')?.node, 'node2')
  const { places } = plan([workload('Deployment', 'web', { spec: { replicas: 3 } })], before)
  assert.deepEqual(places.slice(0, 2), ['web-0@node2', 'web-1@node1'])
  assert.equal(places.length, 3)
})

test('planPods() keeps pods of two workloads of one name apart', () => {
  const { places } = plan([workload('StatefulSet', 'web'), workload('Deployment', 'web')])
  assert.deepEqual(places, ['web-0@node1', 'web-0-deployment@node2'])
})
