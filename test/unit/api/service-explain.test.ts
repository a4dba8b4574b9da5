// What people are told about a frontend: its endpoints, and what each client gets and why.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainService } from '../../../src/api/service-explain.ts'
import { serviceViews } from '../../../src/api/service-view.ts'
import { serviceFrontends } from '../../../src/control/service-frontends.ts'
import { SERVICE_DEFAULTS } from '../../../src/control/settings.ts'
import { siteOf } from '../../../src/control/site.ts'
import type { Address } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import type { ActualFrontend } from '../../../src/tables/actual.ts'
import type { Service, SliceEndpoint } from '../../../src/tables/intent.ts'
import { createTables } from '../../../src/tables/tables.ts'
import { makeEndpoint, makeNode, makePort, makeService } from '../../support/service-rows.ts'
import { endpoint } from './rows.ts'

const ips = (...texts: string[]) => texts as Address[]

/** shop/front (10.0.1.5) is on n1, which answers; shop/far is on n2. */
function build(service: Partial<Service>, endpoints: readonly SliceEndpoint[]) {
  const tables = createTables()
  const node = makeNode('n1', {
    addresses: ips('192.168.0.1'),
    podCidrs: [parsePrefix('10.0.1.0/24')],
    labels: { 'topology.kubernetes.io/zone': 'a' },
  })
  tables.nodes.upsert(node)
  tables.nodes.upsert(
    makeNode('n2', { addresses: ips('192.168.0.2'), podCidrs: [parsePrefix('10.0.2.0/24')] }),
  )
  tables.endpoints.upsert(endpoint({ addresses: ips('10.0.1.5') }))
  const row = makeService({ ports: [makePort({ nodePort: 30080 })], ...service })
  const slice = {
    namespace: 'default',
    name: 'web-1',
    service: 'web',
    ports: [{ name: '', protocol: 'TCP' as const, port: 8080 }],
    endpoints,
  }
  tables.services.upsert(row)
  tables.endpointSlices.upsert(slice)
  const control = { nodeName: 'n1', routing: 'auto', onLinkPrefixes: [] } as const
  const site = siteOf(node, { ...control, services: SERVICE_DEFAULTS })
  for (const frontend of serviceFrontends(row, [slice], { site, settings: SERVICE_DEFAULTS })) {
    tables.frontends.upsert(frontend)
  }
  const actual = [...tables.frontends.rows()].map((frontend): ActualFrontend => {
    const backends = frontend.backends.map((backend) => ({ ...backend, hits: 7n }))
    const externalBackends = frontend.externalBackends.map((each) => ({ ...each, hits: 7n }))
    const { address, port, protocol, affinitySeconds } = frontend
    const externalSetId = frontend.backends === frontend.externalBackends ? 1 : 2
    const sets = { backends, externalBackends, setId: 1, externalSetId }
    return { address, port, protocol, affinitySeconds, ...sets, id: 1, missingBackends: 0 }
  })
  const sources = { tables, actual, nodeName: 'n1', socketServices: true }
  const ask = (question: string) => explainService(question, sources)
  /** Texts by topic, of the only frontend and client. */
  const told = (question: string): Record<string, string> => {
    const [explanation, another] = ask(question)
    assert.equal(another, undefined)
    assert.equal(explanation?.problem, undefined)
    return Object.fromEntries(explanation?.lines ?? [])
  }
  return {
    tables,
    actual,
    ask,
    told,
    views: (wanted?: string) =>
      serviceViews(tables, actual, { nodeName: 'n1', ...(wanted ? { wanted } : {}) }),
  }
}

const here = (n: number, more: Partial<SliceEndpoint> = {}) =>
  makeEndpoint(`10.0.1.${n}`, { nodeName: 'n1', ...more })
const there = (n: number, more: Partial<SliceEndpoint> = {}) =>
  makeEndpoint(`10.0.2.${n}`, { nodeName: 'n2', ...more })

test('a view shows every endpoint, its place and state, and what it is used for', () => {
  const { views } = build({ externalTrafficPolicy: 'Local' }, [
    here(1),
    there(2, { zone: 'b', hintedZones: ['a'] }),
    there(3, { ready: false, serving: false }),
  ])
  const view = views('default/web').find(({ kind }) => kind === 'NodePort')
  assert.deepEqual(
    view?.backends?.map((each) => [each.backend, each.state, each.local, each.zone, each.hits]),
    [
      ['10.0.1.1:8080', 'ready', true, '', 14n],
      ['10.0.2.2:8080', 'ready', false, 'b', 7n],
      ['10.0.2.3:8080', 'not ready', false, '', undefined],
    ],
  )
  assert.deepEqual(
    view?.backends?.map(({ usedInside, usedOutside }) => [usedInside, usedOutside]),
    [
      [true, true],
      [true, false],
      [false, false],
    ],
  )
  assert.deepEqual(view?.backends?.[1]?.hints, ['zone a'])
  assert.deepEqual(view?.desiredOutside, ['10.0.1.1:8080'])
  assert.equal(view?.drift, 'ok')
})

test('the list of all has no endpoints; one view is asked for by several names', () => {
  const { views } = build({}, [here(1)])
  assert.deepEqual(
    views().map(({ frontend, backends }) => [frontend, backends]),
    [
      ['10.96.0.1:80/TCP', undefined],
      ['192.168.0.1:30080/TCP', undefined],
    ],
  )
  const count = (wanted: string) => views(wanted).map(({ backends }) => backends?.length)
  assert.deepEqual(count('default/web'), [1, 1])
  for (const one of ['10.96.0.1', '10.96.0.1:80', '10.96.0.1:80/TCP']) {
    assert.deepEqual(count(one), [1], one)
  }
  assert.deepEqual(count('default/other'), [])
})

test('the set for outside has drift of its own', () => {
  const { views, actual } = build({ externalTrafficPolicy: 'Local' }, [here(1), there(2)])
  const at = actual.findIndex(({ port }) => port === 30080)
  actual[at] = { ...actual[at], externalBackends: [] } as never
  const view = views().find(({ kind }) => kind === 'NodePort')
  assert.deepEqual(view?.differences, ['backend 10.0.1.1:8080 is not in set 2'])
})

test('a pod of this node is translated at its socket and keeps its address', () => {
  const { told } = build({}, [here(1), there(2)])
  assert.deepEqual(told('10.96.0.1:80 from shop/front'), {
    frontend: '10.96.0.1:80/TCP: ClusterIP of Service default/web',
    client: 'pod shop/front on this node (10.0.1.5)',
    endpoints:
      '10.0.1.1:8080 ready, on this node, 7 connections so far\n' +
      '10.0.2.2:8080 ready, on n2, 7 connections so far',
    why: 'internalTrafficPolicy Cluster',
    'one is taken': 'at random',
    translated:
      "at the client's socket, once per connection; in from_pod for what has no such socket",
    'source seen': "the pod's own address; of a pod that reaches itself, the gateway's",
    status: 'pending',
    kernel: 'the maps hold this',
  })
})

test('somebody outside gets local endpoints under Local, and its address is seen', () => {
  const { told } = build({ externalTrafficPolicy: 'Local' }, [here(1), there(2)])
  const outside = told('192.168.0.1:30080 from 198.51.100.7')
  assert.equal(outside['client'], '198.51.100.7, outside the cluster')
  assert.match(outside['endpoints'] ?? '', /^10\.0\.1\.1:8080 ready, on this node[^\n]*$/)
  assert.equal(outside['why'], 'externalTrafficPolicy Local')
  assert.equal(outside['source seen'], "on this node: the client's own address")
  const inside = told('192.168.0.1:30080 from shop/front')
  assert.match(inside['why'] ?? '', /Local does not bind clients inside: every endpoint/)
})

test('what is elsewhere sees this node, or with DSR the client', () => {
  const seen = (service: Partial<Service>) =>
    build(service, [here(1), there(2)]).told('192.168.0.1:30080 from outside')['source seen']
  assert.equal(
    seen({}),
    "on this node: the client's own address\n" +
      "elsewhere: this node's address, so that answers come back through here",
  )
  assert.match(seen({ forwarding: 'dsr' }) ?? '', /elsewhere: the client's own address, .*\(DSR\)/)
})

test('empty sets say what becomes of a packet', () => {
  const { told } = build({ externalTrafficPolicy: 'Local' }, [there(2)])
  assert.match(
    told('192.168.0.1:30080 from outside')['endpoints'] ?? '',
    /^none: dropped in silence \(no_local_backend\)/,
  )
  const none = build({}, [here(1, { ready: false, serving: false })])
  const { endpoints, why } = none.told('10.96.0.1:80/TCP from node')
  assert.equal(endpoints, 'none: refused (no_backend), by RST')
  assert.equal(why, 'internalTrafficPolicy Cluster; none of these is ready')
})

test('hints and terminating endpoints are named as the reason', () => {
  const zone = (name: string) => ({ hintedZones: [name] })
  const hinted = build({}, [here(1, zone('a')), there(2, zone('b'))])
  assert.match(
    hinted.told('10.96.0.1:80 from node')['why'] ?? '',
    /hints keep to 1 of 2 ready endpoints$/,
  )
  const leaving = { ready: false, terminating: true }
  const last = build({}, [here(1, leaving)]).told('10.96.0.1:80 from node')
  assert.match(
    last['why'] ?? '',
    /none of these is ready; so those that serve while they terminate/,
  )
  assert.match(last['endpoints'] ?? '', /10\.0\.1\.1:8080 terminating/)
})

test('source ranges say who may ask', () => {
  const { told } = build(
    { loadBalancerIps: ips('203.0.113.1'), sourceRanges: [parsePrefix('198.51.100.0/24')] },
    [here(1)],
  )
  const may = (from: string) => told(`203.0.113.1:80 from ${from}`)
  assert.equal(may('198.51.100.7')['may ask'], 'yes, 198.51.100.7 is in 198.51.100.0/24')
  assert.equal(may('node')['may ask'], 'yes, this node always may')
  const refused = may('shop/front')
  assert.equal(refused['may ask'], 'no: dropped (source_range), only 198.51.100.0/24 may')
  assert.equal('endpoints' in refused, false)
})

test('affinity and Maglev are told', () => {
  const { told } = build({ affinitySeconds: 60, balancing: 'maglev' }, [here(1)])
  assert.equal(
    told('10.96.0.1:80 from node')['one is taken'],
    'by Maglev hash, the same on every node; the client keeps it until 60 s after its last use',
  )
})

test('clients are found by pod, address and place', () => {
  const { tables, told, ask } = build({}, [here(1)])
  tables.pods.upsert({
    ...{ namespace: 'shop', name: 'far', nodeName: 'n2', hostNetwork: false },
    ...{ addresses: ips('10.0.2.9'), labels: {}, uid: 'u', ports: [] },
  } as never)
  const client = (from: string) => told(`10.96.0.1:80 from ${from}`)['client']
  assert.equal(client('shop/far'), 'pod shop/far on node n2 (10.0.2.9)')
  assert.equal(client('10.0.1.5'), '10.0.1.5, pod shop/front on this node')
  assert.equal(client('10.0.2.77'), '10.0.2.77, an address of pods on node n2')
  assert.equal(client('192.168.0.2'), '192.168.0.2, node n2')
  assert.equal(
    ask('10.96.0.1:80 from shop/nobody')[0]?.problem,
    'Cannot find client "shop/nobody": give NAMESPACE/POD of a pod, an address, node or outside',
  )
})

test('without a client there is one of each kind, and a wrong family is said', () => {
  const { ask, told } = build({}, [here(1)])
  const topics = ask('10.96.0.1:80')[0]?.lines.filter(([topic]) => topic === 'client')
  assert.deepEqual(
    topics?.map(([, text]) => text),
    ['a pod of this node', 'this node itself', 'anybody outside the cluster'],
  )
  assert.equal(told('10.96.0.1:80 from fd00::9')[''], 'has no IPv4 address: it cannot ask')
})

test('where nothing answers, the reason is given', () => {
  const { tables, ask } = build({}, [])
  tables.serviceCidrs.upsert({ name: 'kubernetes', prefixes: [parsePrefix('10.96.0.0/12')] })
  const problem = (question: string) => ask(question)[0]?.problem
  assert.equal(
    problem('10.96.0.1:443'),
    'Nothing answers port 443 of 10.96.0.1: default/web has 80/TCP there',
  )
  assert.equal(
    problem('10.96.0.9:80'),
    'No Service has 10.96.0.9, which is in the Service range kubernetes: ' +
      'pods are refused (no_endpoint)',
  )
  assert.equal(
    problem('8.8.8.8:53/UDP'),
    'No Service has 8.8.8.8: packets go where the routes lead',
  )
  assert.equal(
    problem('web:80'),
    'Cannot explain "web:80": give ADDRESS:PORT or ADDRESS:PORT/PROTOCOL',
  )
})
