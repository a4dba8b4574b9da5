// Which endpoints are chosen, beside kube-proxy's own words: CategorizeEndpoints of
// pkg/proxy/topology.go and what pkg/proxy/iptables makes of it (v1.36), written down here as they
// are there, and random endpoints of every state, place and hint.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serviceFrontends } from '../../../src/control/service-frontends.ts'
import { SERVICE_DEFAULTS } from '../../../src/control/settings.ts'
import { siteOf } from '../../../src/control/site.ts'
import type { Address } from '../../../src/net/address.ts'
import type { Backend, Frontend } from '../../../src/tables/desired.ts'
import type { SliceEndpoint, TrafficPolicy } from '../../../src/tables/intent.ts'
import { below, pick, randomFrom } from '../../support/random.ts'
import { makeEndpoint, makeNode, makePort, makeService } from '../../support/service-rows.ts'

interface Policies {
  readonly internal: TrafficPolicy
  readonly external: TrafficPolicy
  readonly isExternallyAccessible: boolean
}

interface Place {
  readonly nodeName: string
  readonly zone: string
}

interface Categories {
  readonly cluster: readonly SliceEndpoint[]
  readonly local: readonly SliceEndpoint[]
  readonly hasAnyEndpoints: boolean
}

const isReady = ({ ready }: SliceEndpoint): boolean => ready
const isLeaving = ({ serving, terminating }: SliceEndpoint): boolean => serving && terminating

function categorizeEndpoints(
  endpoints: readonly SliceEndpoint[],
  { internal, external, isExternallyAccessible }: Policies,
  place: Place,
): Categories {
  const usesCluster = internal !== 'Local' || isExternallyAccessible
  const usesLocal = internal === 'Local' || (external === 'Local' && isExternallyAccessible)
  let cluster: readonly SliceEndpoint[] = []
  let hasAnyEndpoints = false
  if (usesCluster) {
    const mode = topologyModeFromHints(endpoints, place)
    cluster = endpoints.filter((each) => isReady(each) && isAvailable(each, mode, place))
    if (cluster.length === 0) cluster = endpoints.filter(isLeaving)
    if (cluster.length > 0) hasAnyEndpoints = true
  }
  if (!usesLocal) return { cluster, local: [], hasAnyEndpoints }
  const isLocal = ({ nodeName }: SliceEndpoint): boolean => nodeName === place.nodeName
  for (const each of endpoints) if (isReady(each) || isLeaving(each)) hasAnyEndpoints = true
  const hasLocalReady = endpoints.some((each) => isLocal(each) && isReady(each))
  const local = endpoints.filter((each) => {
    return isLocal(each) && (hasLocalReady ? isReady(each) : isLeaving(each))
  })
  return { cluster, local, hasAnyEndpoints }
}

type Mode = '' | 'PreferSameNode' | 'PreferSameZone'

function topologyModeFromHints(endpoints: readonly SliceEndpoint[], place: Place): Mode {
  const ready = endpoints.filter(isReady)
  if (ready.length === 0) return ''
  const allHaveNodes = ready.every(({ hintedNodes }) => hintedNodes.length > 0)
  if (allHaveNodes && ready.some(({ hintedNodes }) => hintedNodes.includes(place.nodeName))) {
    return 'PreferSameNode'
  }
  const allHaveZones = ready.every(({ hintedZones }) => hintedZones.length > 0)
  const forZone = ready.some(({ hintedZones }) => hintedZones.includes(place.zone))
  return allHaveZones && forZone ? 'PreferSameZone' : ''
}

function isAvailable(endpoint: SliceEndpoint, mode: Mode, { nodeName, zone }: Place): boolean {
  if (mode === 'PreferSameNode') return endpoint.hintedNodes.includes(nodeName)
  return mode === '' || endpoint.hintedZones.includes(zone)
}

/** What a new connection gets: addresses, else REJECT or DROP. */
function outcome(endpoints: readonly SliceEndpoint[], hasAnyEndpoints: boolean): string {
  const addresses = endpoints.map(({ address }) => address).sort()
  return addresses.join(' ') || (hasAnyEndpoints ? 'DROP' : 'REJECT')
}

/** The same of a row. */
function gets(backends: readonly Backend[], whenEmpty: Frontend['whenEmpty']): string {
  const addresses = backends.map(({ address }) => address).sort()
  return addresses.join(' ') || (whenEmpty === 'drop' ? 'DROP' : 'REJECT')
}

function randomEndpoint(random: () => number, n: number): SliceEndpoint {
  const some = (...names: string[]) => names.filter(() => random() < 0.5)
  return makeEndpoint(`10.0.1.${n + 1}`, {
    ...{ ready: random() < 0.5, serving: random() < 0.7, terminating: random() < 0.5 },
    nodeName: pick(random, ['n1', 'n2', '']),
    hintedZones: random() < 0.7 ? ['a', ...some('b', 'c')] : some('b', 'c'),
    hintedNodes: random() < 0.7 ? [pick(random, ['n1', 'n2']), ...some('n3')] : some('n1'),
  })
}

test('endpoints are chosen as kube-proxy chooses them', () => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 4000; seed++) {
    const random = randomFrom(seed)
    const length = below(random, 6)
    const endpoints = Array.from({ length }, (_, n) => randomEndpoint(random, n))
    const place = { nodeName: 'n1', zone: pick(random, ['a', 'b', 'd']) }
    const policies: Policies = {
      internal: pick(random, ['Cluster', 'Local'] as const),
      external: pick(random, ['Cluster', 'Local'] as const),
      isExternallyAccessible: random() < 0.5,
    }
    const { cluster, local, hasAnyEndpoints } = categorizeEndpoints(endpoints, policies, place)
    const byPolicy = (policy: TrafficPolicy) =>
      outcome(policy === 'Local' ? local : cluster, hasAnyEndpoints)
    const expected = {
      clusterIp: byPolicy(policies.internal),
      // Clients inside are short-circuited to every endpoint.
      ...(policies.isExternallyAccessible
        ? { inside: outcome(cluster, hasAnyEndpoints), outside: byPolicy(policies.external) }
        : {}),
    }
    assert.deepEqual(derive(endpoints, policies, place), expected, `seed ${seed}`)
    for (const result of Object.values(expected)) seen.add(result.replace(/\d.*/, 'endpoints'))
  }
  assert.deepEqual([...seen].sort(), ['DROP', 'REJECT', 'endpoints'])
})

function derive(
  endpoints: readonly SliceEndpoint[],
  { internal, external, isExternallyAccessible }: Policies,
  { nodeName, zone }: Place,
) {
  const site = siteOf(
    makeNode(nodeName, {
      addresses: ['192.168.0.1' as Address],
      labels: { 'topology.kubernetes.io/zone': zone },
    }),
    { nodeName, routing: 'auto', onLinkPrefixes: [], services: SERVICE_DEFAULTS },
  )
  const service = makeService({
    ports: [makePort({ nodePort: isExternallyAccessible ? 30_080 : 0 })],
    internalTrafficPolicy: internal,
    externalTrafficPolicy: external,
  })
  const ports = [{ name: '', protocol: 'TCP' as const, port: 8080 }]
  const slice = { namespace: 'default', name: 'web-1', service: 'web', ports, endpoints }
  const frontends = serviceFrontends(service, [slice], { site, settings: SERVICE_DEFAULTS })
  const [clusterIp = assert.fail(), nodePort] = frontends
  return {
    clusterIp: gets(clusterIp.backends, clusterIp.whenEmpty),
    ...(nodePort
      ? {
          inside: gets(nodePort.backends, nodePort.whenEmpty),
          outside: gets(nodePort.externalBackends, nodePort.externalWhenEmpty),
        }
      : {}),
  }
}
