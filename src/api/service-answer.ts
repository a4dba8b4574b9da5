// What a frontend answers one client, in words: who may ask, which endpoints, where the packet is
// translated, and what the endpoint sees as its source.
import { addressFamily } from '../net/address.ts'
import { prefixContains } from '../net/prefix.ts'
import type { Frontend } from '../tables/desired.ts'
import type { BackendView } from './backend-view.ts'
import type { Client } from './service-client.ts'
import type { ServiceView } from './service-view.ts'

type Line = readonly [topic: string, text: string]

export function describeAnswer(
  row: Frontend,
  view: ServiceView,
  client: Client,
  socketServices: boolean,
): Line[] {
  const refused = describeSource(row, client)
  if (refused?.isRefused) return [['may ask', refused.text]]
  const isInside = client.kind !== 'outside' && client.kind !== 'other node'
  const used = (view.backends ?? []).filter((each) =>
    isInside ? each.usedInside : each.usedOutside,
  )
  const lines: Line[] = [
    ...(refused ? [['may ask', refused.text] as const] : []),
    ['endpoints', used.map(describeBackend).join('\n') || describeEmpty(row, isInside)],
    ['why', describeChoice(row, view, isInside, used)],
  ]
  if (used.length === 0) return lines
  return [
    ...lines,
    ['one is taken', describeBalancing(row)],
    ['translated', describeTranslation(row, client, socketServices)],
    ['source seen', describeSeenSource(row, client, used)],
  ]
}

function describeSource({ sourceRanges, address }: Frontend, { kind, addresses }: Client) {
  if (!sourceRanges) return undefined
  if (kind === 'this node') return { isRefused: false, text: 'yes, this node always may' }
  const ranges = sourceRanges.join(', ') || 'nobody'
  const own = addresses.find((each) => addressFamily(each) === addressFamily(address))
  if (own === undefined) return { isRefused: false, text: `only ${ranges}` }
  const isIn = sourceRanges.some((prefix) => prefixContains(prefix, own))
  const text = isIn
    ? `yes, ${own} is in ${ranges}`
    : `no: dropped (source_range), only ${ranges} may`
  return { isRefused: !isIn, text }
}

function describeBackend({ backend, state, local, node, zone, hits }: BackendView): string {
  const where = local ? 'on this node' : node === '' ? 'on no known node' : `on ${node}`
  return [
    `${backend} ${state}, ${where}`,
    ...(zone === '' ? [] : [`zone ${zone}`]),
    ...(hits === undefined ? [] : [`${hits} connections so far`]),
  ].join(', ')
}

function describeEmpty(row: Frontend, isInside: boolean): string {
  const whenEmpty = isInside ? row.whenEmpty : row.externalWhenEmpty
  return whenEmpty === 'drop'
    ? 'none: dropped in silence (no_local_backend), so that a load balancer tries another node'
    : `none: refused (no_backend), by ${row.protocol === 'TCP' ? 'RST' : 'ICMP port unreachable'}`
}

function describeChoice(
  row: Frontend,
  { backends = [], rules }: ServiceView,
  isInside: boolean,
  used: readonly BackendView[],
): string {
  if (row.kind === 'HostPort') return 'a host port leads to its pod'
  const { internalTrafficPolicy, externalTrafficPolicy } = rules?.policies ?? {}
  const isCluster = row.kind === 'ClusterIP'
  const name = isCluster ? 'internalTrafficPolicy' : 'externalTrafficPolicy'
  const policy = isCluster ? internalTrafficPolicy : externalTrafficPolicy
  const isFree = isInside && !isCluster && policy === 'Local'
  const parts = [
    isFree ? `${name} Local does not bind clients inside: every endpoint` : `${name} ${policy}`,
  ]
  const isLocal = policy === 'Local' && !isFree
  const eligible = backends.filter(({ local }) => !isLocal || local)
  const ready = eligible.filter(({ state }) => state === 'ready')
  if (backends.length === 0) parts.push('no slice has an endpoint of this port and family')
  else if (ready.length === 0) {
    parts.push('none of these is ready')
    if (used.length > 0) parts.push('so those that serve while they terminate')
  } else if (used.length < ready.length) {
    parts.push(`hints keep to ${used.length} of ${ready.length} ready endpoints`)
  }
  return parts.join('; ')
}

function describeBalancing({ balancing, affinitySeconds }: Frontend): string {
  const way = balancing === 'maglev' ? 'by Maglev hash, the same on every node' : 'at random'
  if (affinitySeconds === 0) return way
  return `${way}; the client keeps it until ${affinitySeconds} s after its last use`
}

function describeTranslation(
  { kind, sourceRanges }: Frontend,
  client: Client,
  socketServices: boolean,
): string {
  const isOwnPort = kind === 'NodePort' || kind === 'HostPort'
  if (client.kind === 'outside' || client.kind === 'other node') {
    return 'per packet, where it enters this node: by XDP where that is on, else in from_uplink'
  }
  if (client.kind === 'pod elsewhere') {
    return isOwnPort
      ? 'per packet, where it enters this node'
      : 'on its own node, as seen from there'
  }
  const packet = client.kind === 'this node' ? 'to_uplink' : 'from_pod'
  if (!socketServices) return `per packet, in ${packet}`
  if (sourceRanges) return `per packet, in ${packet}: the socket cannot tell who may ask`
  return `at the client's socket, once per connection; in ${packet} for what has no such socket`
}

function describeSeenSource(row: Frontend, client: Client, used: readonly BackendView[]): string {
  if (client.kind === 'pod here') {
    return "the pod's own address; of a pod that reaches itself, the gateway's"
  }
  if (client.kind === 'this node') return "this node's address"
  const isOwnPort = row.kind === 'NodePort' || row.kind === 'HostPort'
  if (client.kind === 'pod elsewhere' && !isOwnPort) return "the pod's own address"
  const parts: string[] = []
  if (used.some(({ local }) => local)) parts.push("on this node: the client's own address")
  if (used.some(({ local }) => !local)) {
    parts.push(
      row.forwarding === 'dsr'
        ? "elsewhere: the client's own address, the endpoint's node answers it directly (DSR)"
        : "elsewhere: this node's address, so that answers come back through here",
    )
  }
  return parts.join('\n')
}
