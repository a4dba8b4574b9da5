// Which endpoints of a Service's port a new connection may get: kube-proxy's CategorizeEndpoints
// (pkg/proxy/topology.go), per port and per family.
import { addressFamily, type Family } from '../net/address.ts'
import type { Backend, OtherBackend } from '../tables/desired.ts'
import type { EndpointSlice, ServicePort, SliceEndpoint } from '../tables/intent.ts'
import type { Site } from './site.ts'

/** The sets are sorted by address and port, without duplicates. */
export interface EndpointSets {
  /** For the policy Cluster: all that are meant for this node, wherever they are. */
  readonly cluster: readonly Backend[]
  /** For the policy Local; the same array as `cluster` where they do not differ. */
  readonly local: readonly Backend[]
  /** Some endpoint takes connections, on whatever node. */
  readonly any: boolean
  /** Of UDP: every endpoint, in whatever state. */
  readonly all: readonly OtherBackend[]
}

/** Of an endpoint in two slices the higher counts: in the other one it is not up to date. */
const STATES = { idle: 0, leaving: 1, ready: 2 } as const

interface Candidate {
  readonly backend: Backend
  /** leaving: it serves on while it terminates; idle: it takes no connection. */
  readonly state: keyof typeof STATES
  readonly local: boolean
  readonly endpoint: SliceEndpoint
}

/** `slices` in order of name. */
export function endpointSets(
  port: ServicePort,
  slices: readonly EndpointSlice[],
  family: Family,
  site: Site,
): EndpointSets {
  const all = readEndpoints(port, slices, family, site)
  const candidates = all.filter(({ state }) => state !== 'idle')
  const cluster = backendsOf(clusterEndpoints(candidates, site))
  const ours = candidates.filter(({ local }) => local)
  const local = backendsOf(readyOrLeaving(ours))
  return {
    cluster,
    local: sameSet(local, cluster) ? cluster : local,
    any: candidates.length > 0,
    all: port.protocol === 'UDP' ? all.map(toOther).sort(byAddressAndPort) : [],
  }
}

/** An endpoint may be in two slices while it moves: then the first by name counts, of equals. */
function readEndpoints(
  { name, protocol }: ServicePort,
  slices: readonly EndpointSlice[],
  family: Family,
  { nodeName }: Site,
): readonly Candidate[] {
  const found = new Map<string, Candidate>()
  for (const slice of slices) {
    for (const { port, ...named } of slice.ports) {
      if (named.name !== name || named.protocol !== protocol) continue
      for (const endpoint of slice.endpoints) {
        const { address } = endpoint
        if (addressFamily(address) !== family) continue
        const state = stateOf(endpoint)
        const key = `${address} ${port}`
        const before = found.get(key)
        if (before && STATES[before.state] >= STATES[state]) continue
        const local = endpoint.nodeName === nodeName
        found.set(key, { backend: { address, port }, state, local, endpoint })
      }
    }
  }
  return [...found.values()]
}

function stateOf({ ready, serving, terminating }: SliceEndpoint): Candidate['state'] {
  if (ready) return 'ready'
  return serving && terminating ? 'leaving' : 'idle'
}

function toOther({ backend, endpoint: { ready, serving } }: Candidate): OtherBackend {
  return { ...backend, serves: ready || serving }
}

function clusterEndpoints(candidates: readonly Candidate[], site: Site): readonly Candidate[] {
  const ready = candidates.filter(({ state }) => state === 'ready')
  if (ready.length === 0) return candidates
  const meant = meantFor(ready, site)
  return meant ? ready.filter(({ endpoint }) => meant(endpoint)) : ready
}

function readyOrLeaving(candidates: readonly Candidate[]): readonly Candidate[] {
  const ready = candidates.filter(({ state }) => state === 'ready')
  return ready.length > 0 ? ready : candidates
}

/**
 * Topology hints count only when every ready endpoint has them and one is for us: for this node,
 * else for its zone. Undefined: no hint counts.
 */
function meantFor(
  ready: readonly Candidate[],
  { nodeName, zone }: Site,
): ((endpoint: SliceEndpoint) => boolean) | undefined {
  const ways = [
    ({ hintedNodes }: SliceEndpoint) => [hintedNodes, nodeName] as const,
    ({ hintedZones }: SliceEndpoint) => [hintedZones, zone] as const,
  ]
  for (const read of ways) {
    const isMeant = (endpoint: SliceEndpoint): boolean => {
      const [hints, own] = read(endpoint)
      return hints.includes(own)
    }
    if (!ready.every(({ endpoint }) => read(endpoint)[0].length > 0)) continue
    if (ready.some(({ endpoint }) => isMeant(endpoint))) return isMeant
  }
  return undefined
}

function backendsOf(candidates: readonly Candidate[]): readonly Backend[] {
  return candidates.map(({ backend }) => backend).sort(byAddressAndPort)
}

function byAddressAndPort(a: Backend, b: Backend): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1
  return a.port - b.port
}

function sameSet(a: readonly Backend[], b: readonly Backend[]): boolean {
  if (a.length !== b.length) return false
  return a.every(({ address, port }, at) => address === b[at]?.address && port === b[at]?.port)
}
