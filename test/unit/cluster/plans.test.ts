// What the cluster is made of, before anything is made.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { moduleText } from '../../../src/cluster/build.ts'
import { placedCommand } from '../../../src/cluster/daemons.ts'
import { imagesNamed } from '../../../src/cluster/e2e-images.ts'
import { containerdConfig, kubeletConfig } from '../../../src/cluster/node-config.ts'
import { nodeScript } from '../../../src/cluster/node-root.ts'
import { cacheDirectory } from '../../../src/cluster/paths.ts'
import { planCertificates } from '../../../src/cluster/pki.ts'
import { addressLines, planNodes } from '../../../src/cluster/spec.ts'
import { run } from '../../../src/lab/run.ts'

test('planNodes() gives each node an address of both families', () => {
  const addresses = planNodes(3).flatMap((node) => node.addresses)
  assert.equal(new Set(addresses).size, 6)
  assert.deepEqual(planNodes(1)[0], {
    name: 'node1',
    addresses: ['172.30.0.11', 'fd00:172:30::11'],
    zone: 'weir-a',
  })
  for (const count of [0, 21, 1.5, Number.NaN]) assert.throws(() => planNodes(count), /Cannot make/)
})

test('addressLines() has no duplicate address detection for IPv6', () => {
  assert.deepEqual(addressLines('eth0', ['172.30.0.11', 'fd00:172:30::11']), [
    'address add 172.30.0.11/24 dev eth0',
    'address add fd00:172:30::11/64 dev eth0 nodad',
  ])
})

test('moduleText() repeats every replacement with the published version', () => {
  const upstream = [
    ...['module k8s.io/kubernetes', '', 'go 1.26.0', '', 'require other.example/x v1.0.0', ''],
    ...['replace (', '\tk8s.io/api => ./staging/src/k8s.io/api'],
    ...['\tk8s.io/kubelet => ./staging/src/k8s.io/kubelet', ')', ''],
  ].join('\n')
  const text = moduleText(upstream, '1.36.2')
  assert.match(text, /^require k8s\.io\/kubernetes v1\.36\.2$/m)
  assert.match(text, /^go 1\.26\.0$/m)
  const replaced = text.split('\n').filter((line) => line.includes('=>'))
  assert.deepEqual(replaced, [
    '\tk8s.io/api => k8s.io/api v0.36.2',
    '\tk8s.io/kubelet => k8s.io/kubelet v0.36.2',
  ])
})

test('every node has a certificate of the group system:nodes', () => {
  const subjects = planCertificates(['node1', 'node2']).map(({ subject }) => subject)
  assert.ok(subjects.includes('/O=system:nodes/CN=system:node:node1'))
  assert.ok(subjects.includes('/O=system:nodes/CN=system:node:node2'))
})

test('the API server is known by every name that pods and nodes use', () => {
  const server = planCertificates([]).find(({ name }) => name === 'apiserver')?.server ?? []
  for (const name of ['IP:10.96.0.1', 'IP:172.30.0.1', 'DNS:kubernetes.default.svc']) {
    assert.ok(server.includes(name), name)
  }
})

const ROOT = {
  name: 'node1',
  directory: '/d/node1',
  bin: '/cache/bin',
  debian: '/cache/debian',
  images: '/d/images',
  init: '/project/weir-init',
}

test('nodeScript() is a script, and mounts only below the node', async () => {
  const script = nodeScript(ROOT)
  await run('check the script', 'sh', ['-n', '-c', script])
  const mounts = script.split('\n').filter((line) => line.startsWith('mount '))
  const inside = mounts.filter((line) => line.split(' ').at(-1)?.startsWith('/d/node1/'))
  const others = mounts.filter((line) => !inside.includes(line))
  assert.deepEqual(others, ['mount --make-rshared /'])
})

test('nodeScript() covers every sysctl that a kubelet sets for the machine', () => {
  const script = nodeScript(ROOT)
  for (const name of [
    'vm/overcommit_memory',
    'vm/panic_on_oom',
    'kernel/panic',
    'kernel/panic_on_oops',
  ]) {
    assert.match(script, new RegExp(`mount --bind \\S+ /d/node1/root/proc/sys/${name}$`, 'm'))
  }
})

test('configurations of nodes leave the machine alone', () => {
  assert.match(containerdConfig(), /restrict_oom_score_adj = true/)
  assert.match(kubeletConfig(), /^oomScoreAdj: 0$/m)
  assert.match(kubeletConfig(), /^failCgroupV1: false$/m)
})

test('placedCommand() joins every cgroup before it enters anything', async () => {
  const args = placedCommand(['/a', '/b'], { enter: ['-t', '7', '-n'] }, ['ls', '-l'])
  assert.deepEqual(args.slice(3), ['/a /b', 'nsenter', '-t', '7', '-n', '--', 'ls', '-l'])
  await run('check the script', 'sh', ['-n', '-c', args[1] ?? ''])
})

test('WEIR_CACHE moves the cache', () => {
  assert.equal(cacheDirectory({ WEIR_CACHE: '/somewhere' }), '/somewhere')
  assert.match(cacheDirectory({}), /\.cache\/weir$/)
})

test('imagesNamed() finds images by the last part of their name', () => {
  const listed =
    'reg.test/a/agnhost:2\nreg.test/agnhost:1\nreg.test/b/agnhost-old:1\nreg.test/pause:3\n'
  assert.deepEqual(imagesNamed(listed, ['agnhost']), ['reg.test/a/agnhost:2', 'reg.test/agnhost:1'])
})
