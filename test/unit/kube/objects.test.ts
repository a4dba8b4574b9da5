// What becomes of good objects, the odd but allowed ones included.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeObject } from '../../../src/kube/metadata.ts'
import { namespaceRow, nodeRow, podRow } from '../../../src/kube/objects.ts'
import { endpointSliceRow, serviceRow } from '../../../src/kube/service-objects.ts'
import { makeEndpoint, makePort, makeService } from '../../support/service-rows.ts'

/** Objects as they come from files: the types of the API do not bind what people write. */
const service = (spec: object, labels: object = {}) =>
  serviceRow({ metadata: { name: 'web', namespace: 'shop', labels }, spec } as never)
const slice = (more: object) =>
  endpointSliceRow({
    metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ...more,
  } as never)
const PORTS = [{ port: 80 }]

test('serviceRow() takes addresses, ports and their defaults', () => {
  const spec = {
    clusterIP: '10.96.0.10',
    clusterIPs: ['10.96.0.10', 'FD00:96::A'],
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ],
    selector: { app: 'web' },
  }
  assert.deepEqual(service(spec), {
    row: makeService({
      namespace: 'shop',
      clusterIps: ['10.96.0.10', 'fd00:96::a'] as never,
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, nodePort: 0 },
        { name: 'dns', protocol: 'UDP', port: 53, nodePort: 0 },
      ],
    }),
    notes: [],
  })
})

test('serviceRow() reads clusterIP alone, and other types by their cluster IP', () => {
  for (const type of [undefined, 'ClusterIP', 'NodePort', 'LoadBalancer']) {
    const { row } = service({ type, clusterIP: '10.96.0.10', ports: PORTS })
    assert.deepEqual(row?.clusterIps, ['10.96.0.10'])
    assert.deepEqual(row?.ports, [makePort()])
  }
})

test('serviceRow() takes leading zeros as decimal, as Kubernetes does', () => {
  const { row } = service({ clusterIP: '010.096.0.010', ports: PORTS })
  assert.deepEqual(row?.clusterIps, ['10.96.0.10'])
})

test('Services that are not ours to serve have no row', () => {
  const ours = { clusterIP: '10.96.0.10', ports: PORTS }
  assert.deepEqual(service({ clusterIP: 'None', ports: PORTS }), {})
  assert.deepEqual(service({ clusterIP: 'None' }), {})
  assert.deepEqual(service({ clusterIPs: ['None'], ports: PORTS }), {})
  assert.deepEqual(service({ type: 'ExternalName', externalName: 'a.example' }), {})
  assert.deepEqual(service(ours, { 'service.kubernetes.io/service-proxy-name': 'other' }), {})
  assert.deepEqual(service(ours, { 'service.kubernetes.io/headless': '' }), {})
})

test('an SCTP port is noted and does not fail the Service', () => {
  const ports = [
    { name: 'a', port: 80 },
    { name: 'b', port: 36412, protocol: 'SCTP' },
  ]
  const { row, notes } = service({ clusterIP: '10.96.0.10', ports })
  assert.equal(row?.ports.length, 2)
  assert.deepEqual(notes, [
    'Service shop/web: port 36412/SCTP is not served, for SCTP is not supported',
  ])
})

test('endpointSliceRow() takes the first address and fills in conditions', () => {
  const { row } = slice({
    ports: [
      { name: 'http', port: 8080, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
      { name: 'all' },
    ],
    endpoints: [
      { addresses: ['10.0.1.5', '10.0.1.6'], nodeName: 'node-1', zone: 'z1' },
      { addresses: ['010.0.1.7'], conditions: { ready: false, serving: true, terminating: true } },
      { addresses: ['10.0.1.8'], conditions: { ready: null, serving: null, terminating: null } },
      { addresses: [] },
    ],
  })
  assert.deepEqual(row, {
    namespace: 'default',
    name: 'web-1',
    service: 'web',
    ports: [
      { name: 'http', protocol: 'TCP', port: 8080 },
      { name: '', protocol: 'UDP', port: 53 },
    ],
    endpoints: [
      {
        address: '10.0.1.5',
        ready: true,
        serving: true,
        terminating: false,
        nodeName: 'node-1',
        zone: 'z1',
        hintedZones: [],
        hintedNodes: [],
      },
      makeEndpoint('10.0.1.7', { ready: false, terminating: true }),
      makeEndpoint('10.0.1.8'),
    ],
  })
})

test('slices of DNS names, and slices of no Service, have no row', () => {
  assert.deepEqual(slice({ addressType: 'FQDN', endpoints: [{ addresses: ['a.example'] }] }), {})
  assert.deepEqual(slice({ metadata: { name: 'web-1' } }), {})
})

test('endpoints and ports may be left out or null', () => {
  for (const nothing of [undefined, null, []]) {
    const { row } = slice({ endpoints: nothing, ports: nothing })
    assert.deepEqual([row?.endpoints, row?.ports], [[], []])
  }
})

test('nodeRow() takes InternalIPs and podCIDRs of both families', () => {
  const object = {
    metadata: { name: 'node-1', labels: { zone: 'a' } },
    spec: { podCIDR: '10.0.1.0/24', podCIDRs: ['10.0.1.0/24', 'FD00:1::/64'] },
    status: {
      addresses: [
        { type: 'Hostname', address: 'node-1' },
        { type: 'ExternalIP', address: '203.0.113.1' },
        { type: 'InternalIP', address: '192.168.0.1' },
        { type: 'InternalIP', address: 'fd00::1' },
      ],
    },
  }
  assert.deepEqual(nodeRow(object as never).row, {
    name: 'node-1',
    addresses: ['192.168.0.1', 'fd00::1'],
    podCidrs: ['10.0.1.0/24', 'fd00:1::/64'],
    labels: { zone: 'a' },
    leaving: false,
  })
})

test('a node may be new: no podCIDR, no address, podCIDR alone', () => {
  const bare = nodeRow({ metadata: { name: 'node-1' } } as never).row
  assert.deepEqual([bare?.addresses, bare?.podCidrs], [[], []])
  const single = { metadata: { name: 'node-1' }, spec: { podCIDR: '10.0.1.0/24' } }
  assert.deepEqual(nodeRow(single as never).row?.podCidrs, ['10.0.1.0/24'])
})

test('podRow() takes podIPs, or podIP alone, and nothing of a pod that has ended', () => {
  const pod = (status: object, spec: object = { nodeName: 'node-1' }) =>
    podRow({ metadata: { name: 'web' }, spec, status } as never).row
  const podIPs = [{ ip: '10.0.1.5' }, { ip: 'fd00:1::5' }]
  assert.deepEqual(pod({ podIP: '10.0.1.5', podIPs }), {
    namespace: 'default',
    name: 'web',
    uid: '',
    nodeName: 'node-1',
    hostNetwork: false,
    addresses: ['10.0.1.5', 'fd00:1::5'],
    labels: {},
    ports: [],
  })
  assert.deepEqual(pod({ podIP: '10.0.1.5' })?.addresses, ['10.0.1.5'])
  assert.deepEqual(pod({ podIP: '' })?.addresses, [])
  for (const phase of ['Succeeded', 'Failed'])
    assert.deepEqual(pod({ phase, podIPs })?.addresses, [])
  assert.equal(pod({}, { hostNetwork: true })?.hostNetwork, true)
  assert.equal(pod({}, { hostNetwork: true })?.nodeName, '')
})

test('podRow() takes ports with names, of containers that go on running', () => {
  const port = (name: string, containerPort: number) => ({ name, containerPort, protocol: 'UDP' })
  const spec = {
    containers: [{ ports: [port('dns', 53), { containerPort: 80 }] }, {}],
    initContainers: [
      { ports: [port('setup', 1)] },
      { restartPolicy: 'Always', ports: [port('proxy', 15001)] },
    ],
  }
  assert.deepEqual(podRow({ metadata: { name: 'web' }, spec } as never).row?.ports, [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { name: 'proxy', protocol: 'UDP', port: 15001 },
  ])
})

test("podRow() takes a static pod's uid as its runtime knows it", () => {
  const annotations = { 'kubernetes.io/config.mirror': 'c0ffee' }
  const uidOf = (metadata: object) => podRow({ metadata } as never).row?.uid
  assert.equal(uidOf({ name: 'web', uid: 'u-1' }), 'u-1')
  assert.equal(uidOf({ name: 'web', uid: 'u-1', annotations }), 'c0ffee')
})

test('namespaceRow() takes the labels, its own name among them, and the audit mode', () => {
  const metadata = { name: 'shop', labels: { team: 'a' } }
  const labels = { team: 'a', 'kubernetes.io/metadata.name': 'shop' }
  const read = (more: object) => namespaceRow({ metadata: { ...metadata, ...more } } as never).row
  assert.deepEqual(read({}), { name: 'shop', labels, policyAudit: false })
  const annotations = { 'weir.io/policy-audit': 'true' }
  assert.deepEqual(read({ annotations }), { name: 'shop', labels, policyAudit: true })
})

test('describeObject() copes with anything', () => {
  assert.equal(describeObject('Service', null), 'Service without a name')
  assert.equal(describeObject('Service', { metadata: { name: '' } }), 'Service without a name')
  assert.equal(
    describeObject('Service', { metadata: { name: 'a', namespace: 3 } }),
    'Service default/a',
  )
  assert.equal(describeObject('Node', { metadata: { name: 'a', namespace: 'b' } }), 'Node a')
})
