// Every field of a Service beside its cluster addresses, and of slices beside their endpoints.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeRow } from '../../../src/kube/objects.ts'
import { endpointSliceRow, serviceCidrRow, serviceRow } from '../../../src/kube/service-objects.ts'

const service = (spec: object, more: { annotations?: object; status?: object } = {}) =>
  serviceRow({
    metadata: { name: 'web', namespace: 'shop', annotations: more.annotations },
    spec: { clusterIP: '10.96.0.10', ports: [{ port: 80, nodePort: 30080 }], ...spec },
    ...(more.status ? { status: more.status } : {}),
  } as never)

test('addresses outside: externalIPs and ingress, without names and without mode Proxy', () => {
  const ingress = [
    { ip: '203.0.113.1' },
    { ip: '203.0.113.2', ipMode: 'VIP' },
    { ip: '203.0.113.3', ipMode: 'Proxy' },
    { hostname: 'lb.example' },
    { ip: '' },
    { ip: '203.0.113.1' },
  ]
  const { row } = service(
    { type: 'LoadBalancer', externalIPs: ['192.0.2.01', 'FD00::1', '192.0.2.1'] },
    { status: { loadBalancer: { ingress } } },
  )
  assert.deepEqual(row?.externalIps, ['192.0.2.1', 'fd00::1'])
  assert.deepEqual(row?.loadBalancerIps, ['203.0.113.1', '203.0.113.2'])
  assert.equal(row?.ports[0]?.nodePort, 30080)
})

test('what is the business of others changes nothing', () => {
  const type = 'LoadBalancer'
  const ingress = [{ ip: '203.0.113.1' }]
  const plain = service({ type }, { status: { loadBalancer: { ingress } } })
  const ports = [{ port: 80, nodePort: 30080, targetPort: 'web', appProtocol: 'kubernetes.io/h2c' }]
  const full = {
    ...{ type, ports, selector: { app: 'web' }, externalName: 'ignored.example' },
    ...{ loadBalancerIP: '192.0.2.99', loadBalancerClass: 'example.com/lb' },
    ...{ allocateLoadBalancerNodePorts: true, trafficDistribution: 'PreferSameNode' },
    ...{ publishNotReadyAddresses: true, ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'] },
  }
  const told = [{ ip: '203.0.113.1', ports: [{ port: 80, protocol: 'TCP' }] }]
  assert.deepEqual(service(full, { status: { loadBalancer: { ingress: told } } }), plain)
})

test('a LoadBalancer without node ports has nodePort 0, or none', () => {
  for (const port of [{ port: 80 }, { port: 80, nodePort: 0 }, { port: 80, nodePort: null }]) {
    assert.equal(service({ type: 'LoadBalancer', ports: [port] }).row?.ports[0]?.nodePort, 0)
  }
})

test('source ranges lose their blanks', () => {
  const { row } = service({ loadBalancerSourceRanges: [' 10.0.0.0/8', '010.1.0.0/16 '] })
  assert.deepEqual(row?.sourceRanges, ['10.0.0.0/8', '10.1.0.0/16'])
  assert.throws(() => service({ loadBalancerSourceRanges: ['all'] }), {
    message:
      'Cannot use Service shop/web: spec.loadBalancerSourceRanges[0] is "all"; ' +
      'give a prefix like 10.0.1.0/24 or fd00:1::/64',
  })
})

test('externalTrafficPolicy counts only where the Service is reached from outside', () => {
  const external = (spec: object) =>
    service({ externalTrafficPolicy: 'Local', ...spec }).row?.externalTrafficPolicy
  assert.equal(external({ type: 'NodePort' }), 'Local')
  assert.equal(external({ type: 'LoadBalancer' }), 'Local')
  assert.equal(external({ externalIPs: ['192.0.2.1'] }), 'Local')
  assert.equal(external({}), 'Cluster')
  assert.equal(service({ type: 'NodePort' }).row?.externalTrafficPolicy, 'Cluster')
  assert.throws(() => external({ type: 'NodePort', externalTrafficPolicy: 'local' }), /Cluster or/)
})

test('internalTrafficPolicy is Cluster unless it is Local', () => {
  const internal = (internalTrafficPolicy?: string) =>
    service({ internalTrafficPolicy }).row?.internalTrafficPolicy
  assert.deepEqual([internal(), internal(''), internal('Local')], ['Cluster', 'Cluster', 'Local'])
})

test('healthCheckNodePort is for load balancers with the policy Local alone', () => {
  const port = (type: string, externalTrafficPolicy: string) =>
    service({ type, externalTrafficPolicy, healthCheckNodePort: 31000 }).row?.healthCheckNodePort
  assert.equal(port('LoadBalancer', 'Local'), 31000)
  assert.equal(port('LoadBalancer', 'Cluster'), 0)
  assert.equal(port('NodePort', 'Local'), 0)
})

test('affinity has its seconds, three hours unless the Service says', () => {
  const seconds = (sessionAffinity?: string, timeoutSeconds?: number) =>
    service({
      sessionAffinity,
      ...(timeoutSeconds === undefined
        ? {}
        : { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }),
    }).row?.affinitySeconds
  assert.deepEqual([seconds(), seconds('None', 30), seconds('ClientIP')], [0, 0, 10_800])
  assert.equal(seconds('ClientIP', 86_400), 86_400)
  assert.throws(() => seconds('ClientIP', 0), /is 0; give a whole number from 1 to 86400/)
  assert.throws(() => seconds('Cookie'), /"Cookie"; give None or ClientIP/)
})

test('annotations choose balancing and forwarding, nonsense is noted', () => {
  const way = (annotations?: object) => service({}, annotations ? { annotations } : {})
  assert.equal(way({ 'weir.io/balancing': 'maglev' }).row?.balancing, 'maglev')
  assert.equal(way({ 'weir.io/forwarding': 'dsr' }).row?.forwarding, 'dsr')
  assert.equal('balancing' in (way().row ?? {}), false)
  const { row, notes } = way({ 'weir.io/balancing': 'fair', 'weir.io/forwarding': 'snat' })
  assert.equal(row?.balancing, undefined)
  assert.equal(row?.forwarding, 'snat')
  assert.deepEqual(notes, [
    'Service shop/web: annotation weir.io/balancing is "fair" and counts for nothing; ' +
      'give random or maglev',
  ])
})

test('a slice says when it changed and for whom its endpoints are', () => {
  const slice = (time: string) =>
    endpointSliceRow({
      metadata: {
        name: 'web-1',
        labels: { 'kubernetes.io/service-name': 'web' },
        annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': time },
      },
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['10.0.1.1'],
          hints: { forZones: [{ name: 'a' }, { name: 'b' }], forNodes: [{ name: 'n1' }] },
        },
      ],
    } as never).row
  const row = slice('2026-11-25T10:00:00.5Z')
  assert.equal(row?.changedAt, Date.UTC(2026, 10, 25, 10, 0, 0, 500))
  assert.deepEqual(row?.endpoints[0]?.hintedZones, ['a', 'b'])
  assert.deepEqual(row?.endpoints[0]?.hintedNodes, ['n1'])
  assert.equal('changedAt' in (slice('yesterday') ?? {}), false)
})

test('a node leaves when it is being deleted, or the autoscaler has marked it', () => {
  const leaving = (metadata: object, spec: object = {}) =>
    nodeRow({ metadata: { name: 'n1', ...metadata }, spec } as never).row?.leaving
  assert.equal(leaving({}), false)
  assert.equal(leaving({ deletionTimestamp: '2026-11-25T10:00:00Z' }), true)
  const taint = (key: string) => ({ taints: [{ key, effect: 'NoSchedule' }] })
  assert.equal(leaving({}, taint('ToBeDeletedByClusterAutoscaler')), true)
  assert.equal(leaving({}, taint('node.kubernetes.io/unschedulable')), false)
})

test('a ServiceCIDR is its prefixes', () => {
  const spec = { cidrs: ['10.96.0.0/12', 'FD00:96::/112'] }
  const { row } = serviceCidrRow({ metadata: { name: 'kubernetes' }, spec } as never)
  assert.deepEqual(row, { name: 'kubernetes', prefixes: ['10.96.0.0/12', 'fd00:96::/112'] })
})
