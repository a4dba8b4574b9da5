// A lab's life: up, apply again and again, exec, and down from every state a crash can leave.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import { cgroupPids } from '../../src/lab/cgroups.ts'
import { labPaths } from '../../src/lab/paths.ts'
import { endProcess, identify } from '../../src/lab/processes.ts'
import { readRecord } from '../../src/lab/record.ts'
import { lab, mustLab, startLab } from './lab.ts'
import { type Machine, readMachine } from './machine.ts'

const NAME = 'weir-test-life'
const NAMED = ['--name', NAME] as const
const FIXTURES = `${import.meta.dirname}/manifests`
let machine: Machine

beforeEach(async () => {
  await mustLab('down', ...NAMED)
  machine = readMachine(NAME)
})

afterEach(async () => {
  await mustLab('down', ...NAMED)
  assert.deepEqual(readMachine(NAME), machine)
})

async function podNames(): Promise<string[]> {
  const { pods } = JSON.parse(await mustLab('status', '--json', ...NAMED)) as {
    pods: { name: string; server: string }[]
  }
  assert.ok(pods.every(({ server }) => server === 'running'))
  return pods.map(({ name }) => name).sort()
}

test('up refuses a second lab of the same name and leaves the first alone', async () => {
  await mustLab('up', ...NAMED)
  const { code, stderr } = await lab('up', ...NAMED)
  assert.equal(code, 1)
  assert.match(stderr, /Cannot build lab weir-test-life: it is there already/)
  assert.match(await mustLab('status', ...NAMED), /node2 +agent \d+/)
})

test('public manifests of several shapes run, and what cannot is named once', async () => {
  await mustLab('up', ...NAMED)
  const said = await mustLab('apply', ...NAMED, '-f', FIXTURES)
  const passedOver = said.split('\n').find((line) => line.startsWith('passed over: ')) ?? ''
  for (const part of ['ConfigMap', 'Ingress', 'container.image']) {
    assert.equal(passedOver.split(part).length, 2, `${part} once in: ${passedOver}`)
  }
  assert.deepEqual(await podNames(), [
    'boutique/cart-0',
    'boutique/frontend-0',
    'boutique/frontend-1',
    'boutique/redis-cart-0',
    'default/frontend-0',
    'default/frontend-1',
    'default/frontend-2',
    'default/podinfo-0',
    'default/podinfo-1',
    'default/redis-leader-0',
    'monitoring/exporter-node1',
    'monitoring/exporter-node2',
  ])
  const address = JSON.parse(await mustLab('status', '--json', ...NAMED)).services.find(
    ({ name }: { name: string }) => name === 'default/podinfo',
  ).addresses[0]
  const asked = await mustLab(
    'exec',
    ...NAMED,
    'redis-leader-0',
    '--',
    'weir-pod',
    'ask',
    address,
    '9898',
  )
  assert.match(asked, /"name":"podinfo-[01]"/)
})

test('applying again changes nothing, another replica count adds and removes pods', async () => {
  await mustLab('up', ...NAMED)
  const path = `${labPaths(NAME).directory}/web.yaml`
  const write = (replicas: number): void =>
    writeFileSync(
      path,
      `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, ports: [{containerPort: 80}]}]}
`,
    )
  write(3)
  await mustLab('apply', ...NAMED, '-f', path)
  const first = readRecord(NAME).pods
  assert.match(await mustLab('apply', ...NAMED, '-f', path), /no pod changed/)
  assert.deepEqual(readRecord(NAME).pods, first)
  write(1)
  await mustLab('apply', ...NAMED, '-f', path)
  assert.deepEqual(await podNames(), ['default/web-0'])
  const old = first.find(({ name }) => name === 'web-0')
  assert.equal(readRecord(NAME).pods[0]?.containerId, old?.containerId)
  await mustLab('delete', ...NAMED, '-f', path)
  assert.deepEqual(await podNames(), [])
})

test('apply names file and line of what it cannot read, and applies nothing', async () => {
  await mustLab('up', ...NAMED)
  const path = `${labPaths(NAME).directory}/bad.yaml`
  writeFileSync(path, 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\nkind: [Pod\n')
  const { code, stderr } = await lab('apply', ...NAMED, '-f', path)
  assert.equal(code, 1)
  assert.match(stderr, /bad\.yaml:[56]: /)
  assert.deepEqual(await podNames(), [])
})

test('exec passes the exit code on, from a node and for an unknown pod', async () => {
  await mustLab('up', ...NAMED)
  assert.equal((await lab('exec', ...NAMED, 'node1', '--', 'sh', '-c', 'exit 7')).code, 7)
  const unknown = await lab('exec', ...NAMED, 'nobody', '--', 'true')
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /Cannot find nobody: the lab has node1, node2/)
})

for (const family of ['4', '6']) {
  test(`a lab of IPv${family} alone passes its checks`, async () => {
    await mustLab('up', ...NAMED, `--ipv${family}-only`)
    const { code, stdout } = await lab(
      'test',
      ...NAMED,
      '--only',
      '^vxlan, snat: pod to|nothing else was',
    )
    assert.equal(code, 0, stdout)
    assert.doesNotMatch(stdout, new RegExp(`IPv${family === '4' ? 6 : 4}`))
  })
}

test('down cleans up when the record is half written', async () => {
  await mustLab('up', ...NAMED)
  await mustLab('apply', ...NAMED, '-f', `${FIXTURES}/podinfo.yaml`)
  const path = labPaths(NAME).record
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 300))
  const { stderr } = await lab('status', ...NAMED)
  assert.match(stderr, /it is damaged; run "weir lab down --name weir-test-life"/)
})

test('down cleans up when agents and pods have died', async () => {
  await mustLab('up', ...NAMED)
  await mustLab('apply', ...NAMED, '-f', `${FIXTURES}/podinfo.yaml`)
  const { nodes, pods } = readRecord(NAME)
  for (const { agent } of nodes) if (agent) await endProcess(agent)
  for (const { server } of pods) if (server) await endProcess(server)
  assert.match(await mustLab('status', ...NAMED), /node1 +agent GONE/)
})

test('down ends only its own: a recorded pid that is somebody else now lives on', async () => {
  await mustLab('up', ...NAMED)
  const record = readRecord(NAME)
  const stolen = { ...record, pods: [{ server: { pid: process.pid, startTime: '1' } }] }
  writeFileSync(labPaths(NAME).record, JSON.stringify(stolen))
  await mustLab('down', ...NAMED)
  assert.deepEqual(cgroupPids(labPaths(NAME).cgroup), [])
})

test('a demo that is stopped takes its lab down', async () => {
  const demo = startLab('demo', ...NAMED)
  let said = ''
  await new Promise<void>((resolve) => {
    demo.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('same node')) resolve()
    })
  })
  demo.kill('SIGTERM')
  const code = await new Promise((resolve) => demo.once('exit', resolve))
  assert.equal(code, 1)
  assert.match(said, /The lab is down/)
})

test('a lab is changed by one command at a time, and a dead one holds nothing', async () => {
  await mustLab('up', ...NAMED)
  const { lock } = labPaths(NAME)
  writeFileSync(lock, JSON.stringify(identify(process.pid)))
  const { code, stderr } = await lab('apply', ...NAMED, '-f', `${FIXTURES}/podinfo.yaml`)
  assert.equal(code, 1)
  assert.match(
    stderr,
    new RegExp(`Cannot change lab ${NAME}: process ${process.pid} is changing it`),
  )
  writeFileSync(lock, JSON.stringify({ pid: process.pid, startTime: '1' }))
  await mustLab('apply', ...NAMED, '-f', `${FIXTURES}/podinfo.yaml`)
  assert.equal((await podNames()).length, 2)
})
