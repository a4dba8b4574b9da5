// Every rule of which endpoints a client gets: policies, readiness, topology hints, by the kind of
// address that is asked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serviceFrontends } from '../../../src/control/service-frontends.ts'
import { SERVICE_DEFAULTS, type ServiceSettings } from '../../../src/control/settings.ts'
import { siteOf } from '../../../src/control/site.ts'
import type { Address } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import type { Frontend, FrontendKind } from '../../../src/tables/desired.ts'
import type { Service, SliceEndpoint } from '../../../src/tables/intent.ts'
import { makeEndpoint, makeNode, makePort, makeService } from '../../support/service-rows.ts'

const ips = (...texts: string[]) => texts as Address[]

const NODE = makeNode('n1', {
  addresses: ips('192.168.0.1', 'fd50::1'),
  labels: { 'topology.kubernetes.io/zone': 'a' },
})

function derive(
  service: Partial<Service>,
  endpoints: readonly SliceEndpoint[],
  { settings = {}, node = NODE }: { settings?: Partial<ServiceSettings>; node?: typeof NODE } = {},
): readonly Frontend[] {
  const services = { ...SERVICE_DEFAULTS, ...settings }
  const site = siteOf(node, { nodeName: 'n1', routing: 'auto', onLinkPrefixes: [], services })
  const slice = {
    namespace: 'default',
    name: 'web-1',
    service: 'web',
    ports: [{ name: '', protocol: 'TCP' as const, port: 8080 }],
    endpoints,
  }
  return serviceFrontends(makeService(service), [slice], { site, settings: services })
}

/** A Service that is reached in every way. */
const EVERYWHERE: Partial<Service> = {
  ports: [makePort({ nodePort: 30080 })],
  externalIps: ips('192.0.2.1'),
  loadBalancerIps: ips('203.0.113.1'),
}
const DUAL: Partial<Service> = { ...EVERYWHERE, clusterIps: ips('10.96.0.1', 'fd96::1') }
const KINDS = ['ClusterIP', 'LoadBalancer', 'ExternalIP', 'NodePort'] as const

/** Last bytes of the backends: "inside | outside"; an empty set as what becomes of a packet. */
function seen(frontends: readonly Frontend[], kind: FrontendKind = 'ClusterIP'): string {
  const frontend = frontends.find((each) => each.kind === kind)
  assert.ok(frontend, kind)
  const show = (set: Frontend['backends'], whenEmpty: string) =>
    set.map(({ address }) => address.split('.').at(-1)).join(' ') || whenEmpty
  const inside = show(frontend.backends, frontend.whenEmpty)
  return `${inside} | ${show(frontend.externalBackends, frontend.externalWhenEmpty)}`
}

const here = (n: number, more: Partial<SliceEndpoint> = {}) =>
  makeEndpoint(`10.0.1.${n}`, { nodeName: 'n1', ...more })
const there = (n: number, more: Partial<SliceEndpoint> = {}) =>
  makeEndpoint(`10.0.2.${n}`, { nodeName: 'n2', ...more })
const UNREADY = { ready: false, serving: false }
const LEAVING = { ready: false, terminating: true }
const GONE = { ready: false, serving: false, terminating: true }

test('every kind of address has its port, in the families of the cluster addresses', () => {
  const both: Partial<Service> = {
    ports: [makePort({ nodePort: 30080 })],
    externalIps: ips('192.0.2.1', '2001:db8::1'),
    loadBalancerIps: ips('203.0.113.1', '2001:db8::2'),
  }
  const at = (...clusterIps: string[]) =>
    derive({ ...both, clusterIps: ips(...clusterIps) }, []).map(({ kind, address, port }) => {
      return `${kind} ${address} ${port}`
    })
  assert.deepEqual(at('10.96.0.1'), [
    'ClusterIP 10.96.0.1 80',
    'LoadBalancer 203.0.113.1 80',
    'ExternalIP 192.0.2.1 80',
    'NodePort 192.168.0.1 30080',
  ])
  assert.deepEqual(at('fd96::1'), [
    'ClusterIP fd96::1 80',
    'LoadBalancer 2001:db8::2 80',
    'ExternalIP 2001:db8::1 80',
    'NodePort fd50::1 30080',
  ])
  assert.equal(at('fd96::1', '10.96.0.1').length, 8)
})

test('the policy Cluster gives all ready endpoints to everybody', () => {
  const frontends = derive(EVERYWHERE, [here(1), there(2), here(3, UNREADY), there(4, LEAVING)])
  for (const kind of KINDS) {
    assert.equal(seen(frontends, kind), '1 2 | 1 2')
    const frontend = frontends.find((each) => each.kind === kind)
    assert.equal(frontend?.backends, frontend?.externalBackends, 'the same array')
  }
})

test('externalTrafficPolicy Local: outside only local endpoints, inside all', () => {
  const service = { ...EVERYWHERE, externalTrafficPolicy: 'Local' as const }
  const frontends = derive(service, [here(1), there(2), here(3, LEAVING)])
  assert.equal(seen(frontends, 'ClusterIP'), '1 2 | 1 2')
  for (const kind of KINDS.slice(1)) assert.equal(seen(frontends, kind), '1 2 | 1')
})

test('internalTrafficPolicy Local: cluster addresses only local endpoints, others all', () => {
  const service = { ...EVERYWHERE, internalTrafficPolicy: 'Local' as const }
  const frontends = derive(service, [here(1), there(2)])
  assert.equal(seen(frontends, 'ClusterIP'), '1 | 1')
  for (const kind of KINDS.slice(1)) assert.equal(seen(frontends, kind), '1 2 | 1 2')
})

test('both policies Local', () => {
  const local = { internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' } as const
  const frontends = derive({ ...EVERYWHERE, ...local }, [here(1), there(2)])
  assert.equal(seen(frontends, 'ClusterIP'), '1 | 1')
  for (const kind of KINDS.slice(1)) assert.equal(seen(frontends, kind), '1 2 | 1')
})

test('without any endpoint a connection is refused, whatever the policy', () => {
  const local = { internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' } as const
  for (const policy of [{}, local]) {
    for (const endpoints of [[], [here(1, UNREADY)], [there(1, GONE)]]) {
      const frontends = derive({ ...EVERYWHERE, ...policy }, endpoints)
      for (const kind of KINDS) assert.equal(seen(frontends, kind), 'refuse | refuse')
    }
  }
})

test('Local without a local endpoint is silence where another node has one', () => {
  const local = { internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' } as const
  for (const state of [{}, LEAVING]) {
    const frontends = derive({ ...EVERYWHERE, ...local }, [there(2, state)])
    assert.equal(seen(frontends, 'ClusterIP'), 'drop | drop')
    for (const kind of KINDS.slice(1)) assert.equal(seen(frontends, kind), '2 | drop')
  }
})

test('no ready endpoint in the cluster: those that serve while they terminate', () => {
  const endpoints = [here(1, LEAVING), there(2, LEAVING), here(3, GONE), there(4, UNREADY)]
  for (const kind of KINDS) assert.equal(seen(derive(EVERYWHERE, endpoints), kind), '1 2 | 1 2')
})

test('no ready local endpoint: the local ones that serve on, whatever the cluster has', () => {
  const service = { ...EVERYWHERE, externalTrafficPolicy: 'Local' as const }
  const frontends = derive(service, [here(1, LEAVING), here(3, GONE), there(2)])
  assert.equal(seen(frontends, 'ClusterIP'), '2 | 2')
  for (const kind of KINDS.slice(1)) assert.equal(seen(frontends, kind), '2 | 1')
})

test('an endpoint without a node is nobody’s local one', () => {
  const service = { ...EVERYWHERE, externalTrafficPolicy: 'Local' as const }
  assert.equal(seen(derive(service, [makeEndpoint('10.0.9.9')]), 'NodePort'), '9 | drop')
})

const zones = (...hintedZones: string[]) => ({ hintedZones })
const nodes = (...hintedNodes: string[]) => ({ hintedNodes })

for (const [what, endpoints, expected] of [
  ['hints of a zone keep to it', [here(1, zones('a')), there(2, zones('b'))], '1'],
  [
    'an endpoint may be hinted for several zones',
    [here(1, zones('a')), there(2, zones('b', 'a'))],
    '1 2',
  ],
  [
    'one without a hint voids them all',
    [here(1, zones('a')), there(2, zones('b')), there(3)],
    '1 2 3',
  ],
  ['hints that name other zones are void', [here(1, zones('b')), there(2, zones('c'))], '1 2'],
  [
    'hints of those that are not ready do not count',
    [here(1, zones('a')), there(2, zones('b')), there(3, UNREADY), there(4, LEAVING)],
    '1',
  ],
  ['hints of a node keep to it', [here(1, nodes('n1')), there(2, nodes('n2'))], '1'],
  [
    'a node goes before its zone',
    [
      here(1, { ...nodes('n1'), ...zones('a') }),
      there(2, { ...nodes('n2'), ...zones('a') }),
      there(3, { ...nodes('n3'), ...zones('b') }),
    ],
    '1',
  ],
  [
    'no hint for this node falls back to the zone',
    [
      there(1, { ...nodes('n3'), ...zones('a') }),
      there(2, { ...nodes('n2'), ...zones('a') }),
      there(3, { ...nodes('n4'), ...zones('b') }),
    ],
    '1 2',
  ],
  [
    'one without a node’s hint voids those, the zones’ stay',
    [here(1, { ...nodes('n1'), ...zones('b') }), there(2, zones('a'))],
    '2',
  ],
] as const) {
  test(`topology: ${what}`, () => {
    assert.equal(seen(derive({}, endpoints)), `${expected} | ${expected}`)
  })
}

test('topology: a node in no zone follows no zone’s hint', () => {
  const node = makeNode('n1')
  const endpoints = [here(1, zones('a')), there(2, zones('b'))]
  assert.equal(seen(derive({}, endpoints, { node })), '1 2 | 1 2')
})

test('topology does not concern endpoints that terminate, nor local sets', () => {
  const leaving = [here(1, { ...LEAVING, ...zones('a') }), there(2, { ...LEAVING, ...zones('b') })]
  assert.equal(seen(derive({}, leaving)), '1 2 | 1 2')
  const service = { ...EVERYWHERE, externalTrafficPolicy: 'Local' as const }
  const elsewhere = derive(service, [here(1, zones('b')), there(2, zones('a'))])
  assert.equal(seen(elsewhere, 'NodePort'), '2 | 1')
})

test('source ranges are for load balancer addresses alone, each family by itself', () => {
  const sourceRanges = [parsePrefix('10.0.0.0/8'), parsePrefix('172.16.0.0/12')]
  const loadBalancerIps = ips('203.0.113.1', '2001:db8::1')
  const frontends = derive({ ...DUAL, loadBalancerIps, sourceRanges }, [])
  const ranges = frontends.map(({ kind, sourceRanges: own }) => [kind, own])
  assert.deepEqual(ranges, [
    ['ClusterIP', undefined],
    ['ClusterIP', undefined],
    ['LoadBalancer', sourceRanges],
    ['LoadBalancer', []],
    ['ExternalIP', undefined],
    ['NodePort', undefined],
    ['NodePort', undefined],
  ])
})

test('external addresses can be switched off', () => {
  const kinds = derive(EVERYWHERE, [], { settings: { externalIps: false } }).map(({ kind }) => kind)
  assert.equal(kinds.includes('ExternalIP'), false)
})

test('node ports are on the chosen or primary addresses, a family without a choice on all', () => {
  const at = (settings: Partial<ServiceSettings>, node = NODE) =>
    derive(DUAL, [], { settings, node })
      .filter(({ kind }) => kind === 'NodePort')
      .map(({ address }) => address)
  const prefixes = (...texts: string[]) => ({ nodePortAddresses: texts.map(parsePrefix) })
  assert.deepEqual(at(prefixes('192.168.0.0/24')), ['192.168.0.1', 'fd50::1'])
  assert.deepEqual(at(prefixes('10.0.0.0/8')), ['fd50::1'])
  assert.deepEqual(at(prefixes('10.0.0.0/8', 'fd99::/64')), [])
  const ample = makeNode('n1', {
    addresses: ips('192.168.0.1', '192.168.0.2', 'fd50::1', 'fd50::2'),
  })
  assert.deepEqual(at({ nodePortAddresses: 'primary' }, ample), ['192.168.0.1', 'fd50::1'])
  assert.deepEqual(at({ nodePortAddresses: [] }, ample), ample.addresses)
  assert.deepEqual(at({ nodePortLocalhost: true }), ['192.168.0.1', 'fd50::1', '127.0.0.1', '::1'])
  assert.deepEqual(at({ nodePortLocalhost: true }, makeNode('n1')), ['127.0.0.1', '::1'])
})

test('an address that a Service names twice counts once, as the first kind', () => {
  const twice = { ...EVERYWHERE, externalIps: ips('203.0.113.1', '10.96.0.1') }
  const keys = derive(twice, []).map(({ kind, address }) => `${kind} ${address}`)
  assert.deepEqual(keys.slice(0, 2), ['ClusterIP 10.96.0.1', 'LoadBalancer 203.0.113.1'])
})

test('affinity and the ways come from the Service, else from the agent', () => {
  const settings = { balancing: 'maglev', forwarding: 'dsr' } as const
  const [own] = derive({ balancing: 'random', forwarding: 'snat', affinitySeconds: 60 }, [], {
    settings,
  })
  assert.deepEqual([own?.balancing, own?.forwarding, own?.affinitySeconds], ['random', 'snat', 60])
  const [agents] = derive({}, [], { settings })
  assert.deepEqual([agents?.balancing, agents?.forwarding], ['maglev', 'dsr'])
})
