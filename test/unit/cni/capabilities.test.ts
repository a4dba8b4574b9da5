// The capabilities portMappings and bandwidth, as each runtime writes them.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Scene } from '../../support/cni-scene.ts'

const add = (scene: Scene, runtimeConfig: object, containerId = 'c1') =>
  scene.call('ADD', { containerId, config: { runtimeConfig } })

test('portMappings in the case of either runtime, with every way to say where', async () => {
  const port = { hostPort: 8080, containerPort: 80, protocol: 'TCP' }
  const cases: [object, object[]][] = [
    [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '' }, [port]],
    [{ hostPort: 8080, containerPort: 80, protocol: 'TCP', hostIP: '0.0.0.0' }, [port]],
    [{ hostPort: 8080, containerPort: 80, hostIP: '::' }, [port]],
    [{ hostPort: 8080, containerPort: 80, protocol: 'Udp' }, [{ ...port, protocol: 'UDP' }]],
    [
      { HostPort: 8080, ContainerPort: 80, HostIP: '127.0.0.1' },
      [{ ...port, hostIp: '127.0.0.1' }],
    ],
    [{ hostPort: 8080, containerPort: 80, hostIP: 'FD00::A' }, [{ ...port, hostIp: 'fd00::a' }]],
    [{ hostPort: 0, containerPort: 80, protocol: 'tcp' }, []],
    [{ containerPort: 80, protocol: 'tcp' }, []],
  ]
  for (const [mapping, expected] of cases) {
    await using scene = new Scene()
    const { exitCode, stdout } = await add(scene, { PortMappings: [mapping] })
    assert.equal(exitCode, 0, stdout)
    assert.deepEqual(scene.kernel.get('c1/eth0')?.hostPorts, expected, JSON.stringify(mapping))
  }
})

test('portMappings: the same twice is once, an empty list is none', async () => {
  await using scene = new Scene()
  const mapping = { hostPort: 53, containerPort: 5353, protocol: 'udp' }
  const both = [mapping, { ...mapping, hostIP: '::' }, { ...mapping, protocol: 'tcp' }]
  assert.equal((await add(scene, { portMappings: both })).exitCode, 0)
  assert.equal(scene.kernel.get('c1/eth0')?.hostPorts.length, 2)
  for (const [i, portMappings] of [null, [], undefined].entries()) {
    assert.equal((await add(scene, { portMappings }, `none${i}`)).exitCode, 0)
  }
})

test('portMappings that cannot be: one sentence, and nothing is taken', async () => {
  await using scene = new Scene()
  const good = { hostPort: 80, containerPort: 80, protocol: 'tcp' }
  const cases: [unknown, number, RegExp][] = [
    ['80:80', 7, /^Cannot use portMappings "80:80": it is no list$/],
    [[80], 7, /it is no object/],
    [[{ ...good, hostPort: 65_536 }], 7, /hostPort is no port/],
    [[{ ...good, hostPort: -1 }], 7, /hostPort is no port/],
    [[{ ...good, hostPort: '80' }], 7, /hostPort is no port/],
    [[{ ...good, containerPort: 0 }], 7, /containerPort is 0/],
    [[{ ...good, containerPort: 1.5 }], 7, /containerPort is no port/],
    [[{ ...good, protocol: 'icmp' }], 7, /neither tcp nor udp/],
    [[{ ...good, protocol: 6 }], 7, /neither tcp nor udp/],
    [[{ ...good, hostIP: 'localhost' }], 7, /hostIP is no address/],
    [[{ ...good, hostIP: 7 }], 7, /hostIP is no address/],
    [[good, { ...good, containerPort: 81 }], 7, /80\/TCP is mapped twice/],
    [[{ ...good, protocol: 'sctp' }], 2, /"runtimeConfig.portMappings".*Weir has no SCTP$/],
  ]
  for (const [portMappings, code, text] of cases) {
    const { exitCode, json } = await add(scene, { portMappings })
    assert.deepEqual([exitCode, json.code], [1, code], JSON.stringify(portMappings))
    assert.match(json.msg, text)
  }
  assert.equal(scene.kernel.size, 0)
})

test('a host port that another pod has is refused until that pod goes', async () => {
  await using scene = new Scene()
  const mapping = (hostIP: string, protocol = 'tcp', hostPort = 80) => ({
    portMappings: [{ hostPort, containerPort: 8080, protocol, hostIP }],
  })
  const CNI_ARGS = 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;IgnoreUnknown=1'
  const config = { runtimeConfig: mapping('127.0.0.1') }
  await scene.call('ADD', { containerId: 'a', env: { CNI_ARGS }, config })
  for (const hostIP of ['', '0.0.0.0', '::', '127.0.0.1']) {
    const { json } = await add(scene, mapping(hostIP), 'b')
    assert.equal(json.code, 11, hostIP)
    assert.match(json.msg, /host port .*80\/TCP is taken: pod shop\/web has 127\.0\.0\.1 80\/TCP$/)
  }
  for (const [i, free] of [
    mapping('127.0.0.1', 'udp'),
    mapping('127.0.0.1', 'tcp', 81),
    mapping('127.0.0.2'),
    mapping('::1'),
  ].entries()) {
    assert.equal((await add(scene, free, `free${i}`)).exitCode, 0)
  }
  assert.equal((await scene.call('DEL', { containerId: 'a' })).exitCode, 0)
  assert.equal((await add(scene, mapping('127.0.0.1'), 'b')).exitCode, 0)
})

test('of two ADDs at once for one host port one has it, and its DEL frees it', async () => {
  await using scene = new Scene()
  const wish = { portMappings: [{ hostPort: 80, containerPort: 80 }] }
  const answers = await Promise.all([add(scene, wish, 'a'), add(scene, wish, 'b')])
  assert.deepEqual(
    answers.map(({ json }) => json.code ?? 0),
    [0, 11],
  )
  const release = scene.hold('delete')
  const del = scene.call('DEL', { containerId: 'a' })
  const next = add(scene, wish, 'b')
  release()
  assert.deepEqual([(await del).exitCode, (await next).exitCode], [0, 0])
})

test("a container's second interface leaves the host ports to its first", async () => {
  await using scene = new Scene()
  const ports = (...numbers: number[]) => ({
    portMappings: numbers.map((port) => ({ hostPort: port, containerPort: port })),
  })
  await add(scene, ports(80))
  const config = { runtimeConfig: ports(80, 81) }
  const { exitCode } = await scene.call('ADD', { ifName: 'net1', config })
  assert.equal(exitCode, 0)
  assert.deepEqual(
    scene.kernel.get('c1/net1')?.hostPorts.map(({ hostPort }) => hostPort),
    [81],
  )
})

test('bandwidth in the case of either runtime; the burst of containerd is none', async () => {
  const cases: [object, object | undefined][] = [
    [
      {
        IngressRate: 1e6,
        IngressBurst: 4_294_967_295,
        EgressRate: 2e6,
        EgressBurst: 4_294_967_295,
      },
      { ingressBitsPerSecond: 1e6, egressBitsPerSecond: 2e6 },
    ],
    [
      { ingressRate: 8e9, ingressBurst: 3e6 },
      { ingressBitsPerSecond: 8e9, ingressBurstBits: 3e6 },
    ],
    [{ egressRate: 10, egressBurst: 0, ingressRate: 0 }, { egressBitsPerSecond: 10 }],
    [{ IngressBurst: 4_294_967_295, EgressBurst: 4_294_967_295 }, undefined],
    [{ ingressRate: 0, egressRate: 0 }, undefined],
    [{}, undefined],
  ]
  for (const [bandwidth, expected] of cases) {
    await using scene = new Scene()
    const { exitCode, stdout } = await add(scene, { bandwidth })
    assert.equal(exitCode, 0, stdout)
    assert.deepEqual(scene.kernel.get('c1/eth0')?.bandwidth, expected, JSON.stringify(bandwidth))
  }
})

test('bandwidth that cannot be is code 7, in one sentence', async () => {
  await using scene = new Scene()
  const cases: [unknown, RegExp][] = [
    ['1M', /^Cannot use bandwidth "1M": it is no object$/],
    [{ ingressRate: '1M' }, /ingressRate is no number of bits/],
    [{ egressRate: -1 }, /egressRate is no number of bits/],
    [{ egressRate: 1.5 }, /egressRate is no number of bits/],
    [{ ingressBurst: 100 }, /ingressBurst has no ingressRate/],
    [{ egressRate: 1e6, ingressBurst: 100 }, /ingressBurst has no ingressRate/],
  ]
  for (const [bandwidth, text] of cases) {
    const { json } = await add(scene, { bandwidth })
    assert.equal(json.code, 7, JSON.stringify(bandwidth))
    assert.match(json.msg, text)
  }
  assert.equal(scene.kernel.size, 0)
})

test('both come back after a restart; a file of an older version has neither', async () => {
  await using before = new Scene()
  const { stateDir } = before
  const portMappings = [{ hostPort: 80, containerPort: 8080, hostIP: '127.0.0.1' }]
  await add(before, {
    portMappings,
    bandwidth: { ingressRate: 1e6, egressRate: 5, egressBurst: 7 },
  })
  await add(before, {}, 'old')
  const row = before.kernel.get('c1/eth0')
  await before.stop()
  const path = join(stateDir, 'endpoints', '2.json')
  const file = JSON.parse(readFileSync(path, 'utf8'))
  delete file.endpoint.hostPorts
  writeFileSync(path, JSON.stringify(file))
  await using after = new Scene({ stateDir })
  await after.reconciler.idle()
  assert.deepEqual(after.kernel.get('c1/eth0'), row)
  assert.deepEqual(after.kernel.get('old/eth0')?.hostPorts, [])
  const again = await add(after, { portMappings }, 'other')
  assert.equal(again.json.code, 11, 'the port is still taken')
})
