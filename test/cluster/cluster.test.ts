// A real Kubernetes from nothing to nothing: up, pods and a Service, one of Kubernetes' own tests,
// upgrades under traffic, an API server that is away, a reboot, uninstall, down. The steps stand on
// each other. With an empty cache the first builds Kubernetes.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { uninstallWeir } from '../../src/cluster/deploy.ts'
import { down } from '../../src/cluster/down.ts'
import { e2e } from '../../src/cluster/e2e.ts'
import { POD_IMAGE } from '../../src/cluster/image-names.ts'
import { kubectl } from '../../src/cluster/kubectl.ts'
import { deployMultus, removeMultus } from '../../src/cluster/multus.ts'
import { apiServerOutage } from '../../src/cluster/outage.ts'
import {
  CONTROLLERS,
  clusterCgroup,
  clusterPaths,
  controllerCgroup,
} from '../../src/cluster/paths.ts'
import { rebootNode } from '../../src/cluster/reboot.ts'
import { type ClusterRecord, readRecord } from '../../src/cluster/record.ts'
import { findLack } from '../../src/cluster/requirements.ts'
import { up } from '../../src/cluster/up.ts'
import { checkTraffic, upgradeUnderTraffic } from '../../src/cluster/upgrade.ts'
import { listMounts } from '../../src/lab/mounts.ts'
import { runAnyway } from '../../src/lab/run.ts'
import { assertReached, endpoints, removePods, replacePods, startPods } from './two-networks.ts'

const lack = await findLack()
const OPTIONS = { skip: lack ?? false }
const say = (line: string): void => console.log(line)
const record = (): ClusterRecord => readRecord(clusterPaths().record)
const ask = (...args: string[]): Promise<string> => kubectl(record(), args)

before(async () => {
  if (lack === undefined) await up({ nodes: 2, withWeir: true, keep: false, say })
})
after(async () => {
  if (lack === undefined) await down()
})

test('two nodes are Ready, without kube-proxy', OPTIONS, async () => {
  const path = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
  assert.equal(await ask('get', 'nodes', '-o', `jsonpath=${path}`), 'True True')
  const names = await ask('get', 'pods', '-A', '-o', 'name')
  assert.match(names, /pod\/weir-/)
  assert.doesNotMatch(names, /kube-proxy/)
})

test(
  'ten pods run on two nodes and reach each other by a Service of both families',
  OPTIONS,
  async () => {
    const workload = ['deployment', 'ten', `--image=${POD_IMAGE}`, '--replicas=10', '--port=8080']
    const serve = ['serve', '--name', 'ten', '--node', 'here', '--tcp=8080']
    await ask('create', ...workload, '--', '/weir-pod', ...serve)
    await ask('rollout', 'status', 'deployment/ten', '--timeout=55s')
    await ask('expose', 'deployment', 'ten', '--port=80', '--target-port=8080')
    const dual = JSON.stringify({ spec: { ipFamilyPolicy: 'RequireDualStack' } })
    await ask('patch', 'service', 'ten', '-p', dual)
    const places = await ask(
      'get',
      'pods',
      '-l',
      'app=ten',
      '-o',
      'jsonpath={.items[*].spec.nodeName}',
    )
    assert.deepEqual([...new Set(places.split(' '))].sort(), ['node1', 'node2'])
    const addresses = (
      await ask('get', 'service', 'ten', '-o', 'jsonpath={.spec.clusterIPs[*]}')
    ).split(' ')
    assert.equal(addresses.length, 2)
    const pods = (await ask('get', 'pods', '-l', 'app=ten', '-o', 'name')).trim().split('\n')
    assert.equal(pods.length, 10)
    for (const pod of pods) {
      for (const address of addresses) {
        const said = await ask('exec', pod, '--', '/weir-pod', 'ask', address, '80', '--count', '5')
        assert.equal(said.trim().split('\n').length, 5)
      }
    }
    await ask('delete', 'deployment,service', 'ten')
  },
)

test('what is not served is said at the Service, once for both nodes', OPTIONS, async () => {
  const port = { port: 9, protocol: 'SCTP' }
  const odd = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'odd' } }
  const manifest = JSON.stringify({ ...odd, spec: { ports: [port] } })
  await kubectl(record(), ['apply', '-f', '-'], manifest)
  const events = ['get', 'events', '--field-selector', 'reason=NotSupported', '-o', 'name']
  // A condition has to stand for a while.
  for (let tries = 0; tries < 60 && (await ask(...events)) === ''; tries++) await sleep(2000)
  // The other agent has had its turn too.
  await sleep(35_000)
  assert.equal((await ask(...events)).trim().split('\n').length, 1)
  const said = await ask('describe', 'service', 'odd')
  assert.match(said, /NotSupported .*weir\.io\/agent +node\d: .*port 9\/SCTP is not served/)
  await ask('delete', 'service', 'odd')
})

test(
  'Multus gives pods a second interface of Weir, and takes it when they go',
  OPTIONS,
  async () => {
    await deployMultus(record(), say)
    try {
      await startPods(record())
      await assertReached(record())
      await replacePods(record())
      await assertReached(record())
      assert.equal((await endpoints(record())).length, 4, 'two pods with two interfaces')
    } finally {
      await removePods(record())
      await removeMultus(record())
    }
  },
)

test(
  "Weir's image names its packages, and holds nothing that only builds it",
  OPTIONS,
  async () => {
    const agent = ['exec', '-n', 'weir', 'daemonset/weir', '-c', 'agent', '--']
    const list = async (path: string) => (await ask(...agent, 'ls', path)).trim().split('\n')
    const libraries = ['libbpf1', 'libc6', 'libelf1', 'libgcc-s1', 'libstdc++6', 'zlib1g']
    const packages = await list('/var/lib/dpkg/status.d')
    assert.deepEqual(packages, ['base-files', 'busybox-static', ...libraries])
    const modules = await list('/weir/node_modules')
    assert.ok(modules.includes('protobufjs'))
    assert.ok(!modules.includes('typescript'))
  },
)

test("one of Kubernetes' own tests passes", OPTIONS, async () => {
  const reports = mkdtempSync(join(tmpdir(), 'weir-e2e-'))
  try {
    const focus = 'Services should serve a basic endpoint from pods'
    assert.equal(await e2e({ focus, processes: 1, reports, resume: false, say }), 0)
  } finally {
    rmSync(reports, { recursive: true })
  }
})

test('a new image and a new setting roll through without losing a packet', OPTIONS, async () => {
  assert.equal(await upgradeUnderTraffic({ rounds: 2, say }), 0)
})

test(
  'while the API server is away pods talk on and begin; an agent that starts then waits for it',
  OPTIONS,
  async () => {
    assert.equal(await apiServerOutage({ seconds: 20, say }), 0)
  },
)

test('a node that was drained and rebooted takes pods again', OPTIONS, async () => {
  await rebootNode('node2', say)
  assert.equal(await checkTraffic(say), 0)
})

test('uninstalling leaves nothing of Weir on any node', OPTIONS, async () => {
  const said = await uninstallWeir(record())
  assert.equal(said.match(/Nothing of Weir is here\./g)?.length, 2, said)
})

test('down leaves nothing of the cluster on this machine', OPTIONS, async () => {
  assert.equal(await down(), true)
  const places = [
    clusterPaths().directory,
    clusterCgroup(),
    ...CONTROLLERS.map((each) => controllerCgroup(each, '')),
  ]
  assert.deepEqual(
    places.filter((path) => existsSync(path)),
    [],
  )
  assert.deepEqual(
    listMounts().filter(({ target }) => target.includes('weir-cluster')),
    [],
  )
  const { stdout } = await runAnyway('ip', ['-o', 'address'])
  assert.doesNotMatch(stdout, /weir-cluster|172\.30\.0\./)
  assert.equal(await down(), false)
})
