import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ObjectError } from '../../../src/kube/fields.ts'
import {
  describeObject,
  endpointSliceRow,
  namespaceRow,
  nodeRow,
  podRow,
  serviceRow,
} from '../../../src/kube/objects.ts'

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
    row: {
      namespace: 'shop',
      name: 'web',
      clusterIps: ['10.96.0.10', 'fd00:96::a'],
      ports: [
        { name: 'http', protocol: 'TCP', port: 80 },
        { name: 'dns', protocol: 'UDP', port: 53 },
      ],
    },
    notes: [],
  })
})

test('serviceRow() reads clusterIP alone, and NodePort and LoadBalancer Services by their cluster IP', () => {
  for (const type of [undefined, 'ClusterIP', 'NodePort', 'LoadBalancer']) {
    const { row } = service({ type, clusterIP: '10.96.0.10', ports: PORTS })
    assert.deepEqual(row?.clusterIps, ['10.96.0.10'])
    assert.deepEqual(row?.ports, [{ name: '', protocol: 'TCP', port: 80 }])
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
      },
      { address: '10.0.1.7', ready: false, serving: true, terminating: true },
      { address: '10.0.1.8', ready: true, serving: true, terminating: false },
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
    nodeName: 'node-1',
    hostNetwork: false,
    addresses: ['10.0.1.5', 'fd00:1::5'],
    labels: {},
  })
  assert.deepEqual(pod({ podIP: '10.0.1.5' })?.addresses, ['10.0.1.5'])
  assert.deepEqual(pod({ podIP: '' })?.addresses, [])
  for (const phase of ['Succeeded', 'Failed'])
    assert.deepEqual(pod({ phase, podIPs })?.addresses, [])
  assert.equal(pod({}, { hostNetwork: true })?.hostNetwork, true)
  assert.equal(pod({}, { hostNetwork: true })?.nodeName, '')
})

test('namespaceRow() takes the labels', () => {
  const metadata = { name: 'shop', labels: { team: 'a' } }
  assert.deepEqual(namespaceRow({ metadata } as never).row, { name: 'shop', labels: { team: 'a' } })
})

const ADDRESS = { clusterIP: '10.96.0.10' }
const BAD: readonly [string, () => unknown][] = [
  [
    'Cannot use Service shop/web: spec.clusterIP is missing; give the Service an address, or None to make it headless',
    () => service({ ports: PORTS }),
  ],
  [
    'Cannot use Service shop/web: spec.clusterIPs[1] is "10.96.0.300"; give an IPv4 or IPv6 address',
    () => service({ clusterIPs: ['10.96.0.1', '10.96.0.300'], ports: PORTS }),
  ],
  [
    'Cannot use Service shop/web: spec.clusterIP is 10; put it in quotes to make it text',
    () => service({ clusterIP: 10, ports: PORTS }),
  ],
  [
    'Cannot use Service shop/web: spec.ports is missing; give at least one port',
    () => service(ADDRESS),
  ],
  [
    'Cannot use Service shop/web: spec.ports is {"port":80}; give a list',
    () => service({ ...ADDRESS, ports: { port: 80 } }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0].port is 70000; give a whole number from 1 to 65535',
    () => service({ ...ADDRESS, ports: [{ port: 70000 }] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0].port is "80"; give a whole number from 1 to 65535',
    () => service({ ...ADDRESS, ports: [{ port: '80' }] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0].port is missing; give a whole number from 1 to 65535',
    () => service({ ...ADDRESS, ports: [null] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0] is "http"; give a mapping',
    () => service({ ...ADDRESS, ports: ['http'] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0].protocol is "tcp"; give TCP, UDP or SCTP',
    () => service({ ...ADDRESS, ports: [{ port: 80, protocol: 'tcp' }] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[1].name is missing; name each port when there are several',
    () => service({ ...ADDRESS, ports: [{ name: 'a', port: 80 }, { port: 81 }] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[1].name is "a"; another port has this name; give each its own',
    () =>
      service({
        ...ADDRESS,
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
        ],
      }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[1].port is 80; another TCP port has this number; give each its own',
    () =>
      service({
        ...ADDRESS,
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      }),
  ],
  ['Cannot use Service shop/web: spec is 3; give a mapping', () => service(3 as never)],
  [
    'Cannot use Service without a name: metadata.name is missing; give it as text',
    () => serviceRow({ metadata: {} } as never),
  ],
  [
    'Cannot use Service default/Web_1: metadata.name is "Web_1"; give a name of lower-case letters, digits, - and .',
    () => serviceRow({ metadata: { name: 'Web_1' } } as never),
  ],
  [
    'Cannot use Service default/a/b: metadata.name is "a/b"; give a name of lower-case letters, digits, - and .',
    () => serviceRow({ metadata: { name: 'a/b' } } as never),
  ],
  [
    'Cannot use EndpointSlice default/web-1: endpoints[0].addresses[0] is "web"; give an IPv4 or IPv6 address',
    () => slice({ endpoints: [{ addresses: ['web'] }] }),
  ],
  [
    'Cannot use EndpointSlice default/web-1: endpoints[0].conditions.ready is "yes"; give true or false',
    () => slice({ endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: 'yes' } }] }),
  ],
  [
    'Cannot use EndpointSlice default/web-1: addressType is missing; give IPv4, IPv6 or FQDN',
    () => slice({ addressType: undefined }),
  ],
  [
    'Cannot use Node node-1: spec.podCIDRs[0] is "10.0.0.0/33"; give a prefix like 10.0.1.0/24 or fd00:1::/64',
    () => nodeRow({ metadata: { name: 'node-1' }, spec: { podCIDRs: ['10.0.0.0/33'] } } as never),
  ],
  [
    'Cannot use Pod default/web: metadata.labels.on is true; put it in quotes to make it text',
    () => podRow({ metadata: { name: 'web', labels: { on: true } } } as never),
  ],
]

for (const [message, convert] of BAD) {
  test(`a bad object says: ${message.slice('Cannot use '.length)}`, () => {
    assert.throws(convert, (error) => error instanceof ObjectError && error.message === message)
  })
}

test('describeObject() copes with anything', () => {
  assert.equal(describeObject('Service', null), 'Service without a name')
  assert.equal(describeObject('Service', { metadata: { name: '' } }), 'Service without a name')
  assert.equal(
    describeObject('Service', { metadata: { name: 'a', namespace: 3 } }),
    'Service default/a',
  )
  assert.equal(describeObject('Node', { metadata: { name: 'a', namespace: 'b' } }), 'Node a')
})
