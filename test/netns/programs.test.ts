// Which programs are attached where, as it is read from pins and the kernel.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { listPrograms } from '../../src/datapath/programs.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { enableStats } from '../../src/libbpf/program.ts'
import type { ActualProgram } from '../../src/tables/actual.ts'
import type { TestPod } from './place.ts'
import { Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

const scene = new Scene()
const library = openLibrary()
let node: TestNode
let pods: readonly TestPod[]

before(async () => {
  node = new TestNode(scene, 1)
  node.know(node)
  await node.start('--xdp', 'native')
  pods = [await node.addPod('a'), await node.addPod('b')]
  await pods[0]?.serve('a')
})
after(() => scene.dispose())

const programs = () =>
  listPrograms({ library, bpfRoot: node.bpfRoot, netns: `/run/netns/${node.netns}` })

function find(name: string, hook: RegExp): ActualProgram {
  const found = programs().find((each) => each.name === name && hook.test(each.hook))
  return found ?? assert.fail(JSON.stringify(programs().map((each) => [each.name, each.hook])))
}

test('every program is there with its hook and where it is attached', () => {
  assert.deepEqual(find('from_uplink', /^tcx ingress$/).places, ['eth0'])
  assert.deepEqual(find('to_uplink', /^tcx egress$/).places, ['eth0'])
  assert.deepEqual(find('from_host', /^tcx egress$/).places, ['weir_host'])
  assert.deepEqual(find('xdp_uplink', /^xdp native$/).places, ['eth0'])
  for (const [name, hook] of [
    ['from_pod', /^clsact ingress$/],
    ['to_pod', /^clsact egress$/],
  ] as const) {
    assert.deepEqual([...find(name, hook).places].sort(), node.podVeths().sort())
  }
  const sockets = programs().filter(({ hook }) => hook.startsWith('cgroup '))
  const hooks = new Set(sockets.map(({ hook }) => hook))
  for (const name of ['connect4', 'connect6', 'sendmsg4', 'sendmsg6']) {
    assert.ok(hooks.has(`cgroup ${name}`), name)
  }
  assert.ok(sockets.every(({ places }) => /^cgroup \d+$/.test(places.join())))
  assert.deepEqual(find('policy_explain', /^none$/).places, [])
  assert.ok(programs().every(({ id, verifiedInstructions }) => id > 0 && verifiedInstructions > 0))
})

test('runs are counted where the kernel is asked to, also while the agent is away', async () => {
  await node.kill()
  const before = find('from_pod', /clsact/)
  using _ = enableStats(library)
  assert.ok(pods[1]?.ask(pods[0]?.addresses[0] ?? '').ok)
  const { runs, timeNs } = find('from_pod', /clsact/)
  assert.ok(runs > before.runs && timeNs > before.timeNs)
})

test('a link whose device is gone says so', () => {
  scene.ip(node.netns, 'link', 'del', 'eth0')
  assert.deepEqual(find('from_uplink', /^tcx ingress$/).places, ['gone'])
})
