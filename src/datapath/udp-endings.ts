// What of UDP ends when endpoints come and go, for a datagram never says that it is the last. A
// flow is moved away from an endpoint that does not serve any more, and its owner notices nothing;
// a connected socket can only be ended, so that is for endpoints that are gone.
import { addressFamily, formatAddressPort } from '../net/address.ts'
import type { Backend, Frontend, OtherBackend } from '../tables/desired.ts'
import { frontendKey } from '../tables/tables.ts'
import type { Ended } from './flow-gc.ts'

/** Endpoints by which a frontend's UDP may have been translated. */
export type Known = readonly OtherBackend[]

/** Names of the endpoints that are there, by frontend: sockets at others are dead. */
export type Present = ReadonlyMap<string, ReadonlySet<string>>

/** One for all of TCP. */
const NONE: Known = []

export function knownOf({ protocol, backends, externalBackends, others = [] }: Frontend): Known {
  if (protocol !== 'UDP') return NONE
  const outside = externalBackends === backends ? [] : externalBackends
  return [...serving([...backends, ...outside]), ...others]
}

/** Of sets that were found in the map: that they served is all that is known. */
export function serving(backends: readonly Backend[]): Known {
  return backends.map(({ address, port }) => ({ address, port, serves: true }))
}

export function sameKnown(a: Known, b: Known): boolean {
  return a.length === b.length && a.every((each, at) => nameOf(each) === nameOf(b[at]))
}

export interface Endings {
  readonly flows: readonly Ended[]
  /** An endpoint is gone at which there may be sockets. */
  readonly sockets: boolean
  /** What the next change is compared with. */
  readonly known: Known
}

export interface Before {
  readonly known: Known
  readonly serviceId: number
  /** It is forwarded now (`snat`, `dsr`) as it was. */
  readonly isForwardedAlike: boolean
}

/**
 * Flows past a frontend that is new or forwarded otherwise, and those to endpoints that serve no
 * more. While nobody serves all of it waits for somebody: there is nowhere to move to.
 */
export function whatEnds(row: Frontend, before: Before | undefined): Endings {
  const known = knownOf(row)
  if (row.protocol !== 'UDP') return { flows: [], sockets: false, known }
  if (!before) return { flows: [toEnded(row, 0)], sockets: false, known }
  const servingNow = new Set(known.filter(({ serves }) => serves).map(backendName))
  if (servingNow.size === 0) return { flows: [], sockets: false, known: before.known }
  const present = new Set(known.map(backendName))
  const left = before.known.filter((each) => each.serves && !servingNow.has(backendName(each)))
  return {
    flows: before.isForwardedAlike
      ? left.map((each) => toEnded(each, before.serviceId))
      : [toEnded(row, 0)],
    sockets: before.known.some((each) => !present.has(backendName(each))),
    known,
  }
}

/** Of flows that are there, by service port, those with endpoints that serve no more. */
export function leftBehind(
  inUse: readonly Ended[],
  rows: readonly (readonly [serviceId: number, row: Frontend])[],
): Ended[] {
  const serving = new Map<string, Set<string>>()
  const placeOf = (id: number, { address }: Pick<Ended, 'address'>) =>
    `${id} ${addressFamily(address)}`
  for (const [id, row] of rows) {
    const names = knownOf(row)
      .filter(({ serves }) => serves)
      .map(backendName)
    const place = placeOf(id, row)
    if (names.length > 0) serving.set(place, new Set([...(serving.get(place) ?? []), ...names]))
  }
  return inUse.filter((each) => {
    const names = serving.get(placeOf(each.serviceId, each))
    return names !== undefined && !names.has(backendName(each))
  })
}

/** For UDP frontends with somebody who serves. */
export function presentOf(rows: readonly Frontend[]): Present {
  const udp = rows.map((row) => ({ name: frontendKey(row), known: knownOf(row) }))
  const served = udp.filter(({ known }) => known.some(({ serves }) => serves))
  return new Map(served.map(({ name, known }) => [name, new Set(known.map(backendName))]))
}

export function toEnded({ address, port }: Backend, serviceId: number): Ended {
  return { address, port, serviceId }
}

/** As presentOf() has it. */
export function backendName({ address, port }: Backend): string {
  return formatAddressPort(address, port)
}

function nameOf(backend: OtherBackend | undefined): string {
  return backend ? `${backendName(backend)} ${backend.serves}` : ''
}
