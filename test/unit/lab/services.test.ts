// Services to cluster addresses and EndpointSlices, in the families they ask for.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Notes } from '../../../src/lab/manifests/notes.ts'
import { readText } from '../../../src/lab/manifests/read.ts'
import {
  aimedPorts,
  type PlannedService,
  planServices,
  planSlices,
} from '../../../src/lab/manifests/services.ts'
import type { PodPort, PodRecord } from '../../../src/lab/record.ts'
import { SERVICE_CIDRS } from '../../../src/lab/spec.ts'
import { parseAddress } from '../../../src/net/address.ts'

function plan(
  specs: Readonly<Record<string, object>>,
  before: readonly PlannedService[] = [],
  ranges = SERVICE_CIDRS as Partial<typeof SERVICE_CIDRS>,
) {
  const notes = new Notes()
  const objects = Object.entries(specs).flatMap(([name, spec]) => {
    const object = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec }
    return readText(JSON.stringify(object), 'test', [])
  })
  return { services: planServices(objects, before, ranges, notes), notes: notes.list() }
}

function pod(name: string, ports: readonly PodPort[], addresses: readonly string[]): PodRecord {
  return {
    namespace: 'default',
    name,
    owner: 'Pod default/x',
    node: 'node1',
    hostNetwork: false,
    labels: { app: 'web' },
    annotations: {},
    ports,
    uid: name,
    containerId: name,
    netns: name,
    cgroup: name,
    addresses: addresses.map(parseAddress),
    server: null,
  }
}

const HTTP: PodPort = { name: 'http', port: 8080, protocol: 'TCP' }
const WEB = { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] }

test('planServices() gives one IPv4 address unless both families are asked for', () => {
  const { services } = plan({
    single: WEB,
    both: { ...WEB, ipFamilyPolicy: 'PreferDualStack' },
    six: { ...WEB, ipFamilies: ['IPv6'] },
    sixFirst: { ...WEB, ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] },
  })
  assert.deepEqual(
    services.map(({ name, clusterIps }) => [name, ...clusterIps]),
    [
      ['single', '10.96.0.11'],
      ['both', '10.96.0.12', 'fd00:10:96::b'],
      ['six', 'fd00:10:96::c'],
      ['sixFirst', 'fd00:10:96::d', '10.96.0.13'],
    ],
  )
})

test('planServices() keeps addresses given out before, and those that manifests name', () => {
  const first = plan({ a: WEB, b: WEB }).services
  const { services } = plan({ c: WEB, b: WEB, dns: { ...WEB, clusterIP: '10.96.0.10' } }, first)
  const addresses = Object.fromEntries(
    services.map((service) => [service.name, service.clusterIps]),
  )
  assert.deepEqual(addresses['b'], first[1]?.clusterIps)
  assert.deepEqual(addresses['dns'], ['10.96.0.10'])
  assert.equal(new Set(Object.values(addresses).flat()).size, 3)
})

test('planServices() gives what the lab has to a Service that wants more', () => {
  const { services, notes } = plan({ a: { ...WEB, ipFamilyPolicy: 'RequireDualStack' } }, [], {
    ipv4: SERVICE_CIDRS.ipv4,
  })
  assert.deepEqual(services[0]?.clusterIps, ['10.96.0.11'])
  assert.match(notes.join(), /RequireDualStack/)
})

test('planServices() keeps a headless Service without address and passes over ExternalName', () => {
  const { services, notes } = plan({
    headless: { ...WEB, clusterIP: 'None' },
    external: { type: 'ExternalName', externalName: 'example.org' },
    node: { ...WEB, type: 'NodePort', sessionAffinity: 'None' },
  })
  assert.deepEqual(services[0]?.clusterIps, [])
  assert.equal(services[0]?.headless, true)
  assert.deepEqual(
    services.map(({ name }) => name),
    ['headless', 'node'],
  )
  assert.deepEqual(notes, ['Service of type ExternalName', 'Service.spec.externalName'])
})

test('planServices() refuses addresses and ports that are none, and says which and where', () => {
  const ports = [{ port: 80 }]
  assert.throws(
    () => plan({ web: { clusterIP: 'nonsense', ports } }),
    /Cannot use Service default\/web \(test:1\): spec\.clusterIP "nonsense" is not an IPv4 or/,
  )
  for (const port of [0, 70000, 'x', undefined]) {
    assert.throws(
      () => plan({ web: { ports: [{ port: 80 }, { port }] } }),
      /Cannot use Service default\/web \(test:1\): spec\.ports\[1\]\.port is /,
    )
  }
  assert.throws(() => plan({ web: { ports: [{ port: 80, targetPort: 99999 }] } }), /targetPort/)
})

test('planSlices() makes one slice a family with named target ports resolved', () => {
  const [service] = plan({ web: { ...WEB, ipFamilyPolicy: 'PreferDualStack' } }).services
  assert.ok(service)
  const pods = [
    pod('a', [HTTP], ['10.244.1.2', 'fd00:10:244:1::2']),
    pod('b', [{ ...HTTP, port: 9090 }], ['10.244.2.2']),
    { ...pod('c', [HTTP], ['10.244.1.3']), labels: { app: 'other' } },
  ]
  const slices = planSlices(service, pods)
  assert.deepEqual(
    slices.map(({ family, ports, pods: members }) => [
      family,
      ports[0]?.port,
      members.map(({ name }) => name),
    ]),
    [
      [4, 8080, ['a']],
      [4, 9090, ['b']],
      [6, 8080, ['a']],
    ],
  )
})

test('planServices() gives each port a node port, keeps it, and never gives one twice', () => {
  const ports = [
    { name: 'a', port: 80 },
    { name: 'b', port: 81, nodePort: 30_000 },
  ]
  const specs = {
    one: { selector: { app: 'web' }, type: 'NodePort', ports },
    two: { ...WEB, type: 'LoadBalancer' },
    bare: { ...WEB, type: 'LoadBalancer', allocateLoadBalancerNodePorts: false },
  }
  const numbers = (services: readonly PlannedService[]) =>
    services.map(({ ports: planned }) => planned.map(({ nodePort }) => nodePort))
  const { services } = plan(specs)
  assert.deepEqual(numbers(services), [[30_001, 30_000], [30_002], [undefined]])
  const { one: _, ...rest } = specs
  const later = plan({ zero: { ...WEB, type: 'NodePort' }, ...rest }, services.slice(1))
  assert.deepEqual(numbers(later.services), [[30_000], [30_002], [undefined]])
})

test('planServices() hands on what only the agents read', () => {
  const spec = { ...WEB, externalIPs: ['192.0.2.1'], externalTrafficPolicy: 'Local' }
  const { services, notes } = plan({ web: spec })
  const { externalIPs, externalTrafficPolicy } = spec
  assert.deepEqual(services[0]?.passed, { externalIPs, externalTrafficPolicy })
  assert.deepEqual(notes, [])
})

test('planSlices() leaves the port out for a pod that has no port of that name', () => {
  const [service] = plan({ web: WEB }).services
  assert.ok(service)
  assert.deepEqual(planSlices(service, [pod('a', [], ['10.244.1.2'])])[0]?.ports, [])
})

test('planSlices() holds at most 100 endpoints a slice', () => {
  const [service] = plan({ web: WEB }).services
  assert.ok(service)
  const pods = Array.from({ length: 250 }, (_, n) => pod(`p${n}`, [HTTP], [`10.244.1.${n}`]))
  assert.deepEqual(
    planSlices(service, pods).map((slice) => slice.pods.length),
    [100, 100, 50],
  )
})

test('planSlices() selects nobody for a Service without selector', () => {
  const [service] = plan({ bare: { ports: [{ port: 80 }] } }).services
  assert.ok(service)
  assert.deepEqual(planSlices(service, [pod('a', [HTTP], ['10.244.1.2'])]), [])
})

test('aimedPorts() are the numbers that Services aim at, for containers that declare none', () => {
  const { services } = plan({
    web: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 5000 }, { port: 443 }] },
    other: { selector: { app: 'other' }, ports: [{ port: 1 }] },
  })
  const ports = aimedPorts(services, { namespace: 'default', labels: { app: 'web' } })
  assert.deepEqual(
    ports.map(({ port }) => port),
    [5000, 443],
  )
})
