// The endpoints behind a frontend: state, place, and whether they are used for clients inside and
// outside.
import { addressFamily, formatAddressPort } from '../net/address.ts'
import type { ActualBackend } from '../tables/actual.ts'
import type { Backend, Frontend } from '../tables/desired.ts'
import type { EndpointSlice, SliceEndpoint } from '../tables/intent.ts'

export type EndpointState = 'ready' | 'terminating' | 'not ready'

export interface BackendView {
  /** "10.0.1.5:8080". */
  readonly backend: string
  readonly state: EndpointState
  /** On the node that answers. */
  readonly local: boolean
  readonly node: string
  readonly zone: string
  /** Hints of the slice: "zone a", "node n1". */
  readonly hints: readonly string[]
  readonly usedInside: boolean
  readonly usedOutside: boolean
  /** New connections it was given, by map `backends`; absent: not in the map. */
  readonly hits?: bigint
}

interface Place {
  readonly nodeName: string
  readonly held: readonly ActualBackend[]
}

/** Sorted by backend. A HostPort's only one is its pod, which no slice tells of. */
export function backendViews(
  frontend: Frontend,
  slices: Iterable<EndpointSlice>,
  { nodeName, held }: Place,
): BackendView[] {
  const inside = new Set(frontend.backends.map(show))
  const outside = new Set(frontend.externalBackends.map(show))
  const hits = hitsOf(held)
  const views = new Map<string, BackendView>()
  const add = (backend: string, endpoint: Partial<SliceEndpoint>, local: boolean): void => {
    const state = stateOf(endpoint)
    const before = views.get(backend)
    if (before && before.state === 'ready') return
    const count = hits.get(backend)
    views.set(backend, {
      backend,
      state,
      local,
      node: endpoint.nodeName ?? (local ? nodeName : ''),
      zone: endpoint.zone ?? '',
      hints: hintsOf(endpoint),
      usedInside: inside.has(backend),
      usedOutside: outside.has(backend),
      ...(count === undefined ? {} : { hits: count }),
    })
  }
  if (frontend.kind === 'HostPort') {
    for (const backend of inside) add(backend, { ready: true }, true)
  } else {
    for (const slice of slices) {
      for (const [backend, endpoint] of endpointsOf(slice, frontend)) {
        add(backend, endpoint, endpoint.nodeName === nodeName)
      }
    }
  }
  return [...views.values()].sort((a, b) => (a.backend < b.backend ? -1 : 1))
}

function* endpointsOf(
  { ports, endpoints }: EndpointSlice,
  { portName, protocol, address }: Frontend,
): IterableIterator<readonly [string, SliceEndpoint]> {
  const family = addressFamily(address)
  for (const port of ports) {
    if (port.name !== portName || port.protocol !== protocol) continue
    for (const endpoint of endpoints) {
      if (addressFamily(endpoint.address) !== family) continue
      yield [formatAddressPort(endpoint.address, port.port), endpoint]
    }
  }
}

/** A backend in both sets is there twice, and each counts its own connections. */
function hitsOf(held: readonly ActualBackend[]): Map<string, bigint> {
  const hits = new Map<string, bigint>()
  for (const backend of held) {
    const name = show(backend)
    hits.set(name, (hits.get(name) ?? 0n) + backend.hits)
  }
  return hits
}

function stateOf({ ready, serving, terminating }: Partial<SliceEndpoint>): EndpointState {
  if (ready) return 'ready'
  return serving && terminating ? 'terminating' : 'not ready'
}

function hintsOf({ hintedZones = [], hintedNodes = [] }: Partial<SliceEndpoint>): string[] {
  return [
    ...hintedZones.map((zone) => `zone ${zone}`),
    ...hintedNodes.map((node) => `node ${node}`),
  ]
}

function show({ address, port }: Backend): string {
  return formatAddressPort(address, port)
}
