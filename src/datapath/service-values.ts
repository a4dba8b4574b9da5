// A frontend's row in the terms of map `services`.
import { addressFamily } from '../net/address.ts'
import { protocolNumber } from '../net/protocol.ts'
import type { Frontend } from '../tables/desired.ts'
import { frontendKey } from '../tables/tables.ts'
import * as layout from './layout.gen.ts'
import type { BackendSet } from './service-sets.ts'

/** The service port: its frontends share a number, and with it affinity and hits. */
export function portName({ kind, service, portName: name, protocol }: Frontend): string {
  return `${kind === 'HostPort' ? 'pod' : 'service'} ${service} ${name}/${protocol}`
}

export function familyProblem(row: Frontend): Error | undefined {
  const family = addressFamily(row.address)
  const mixed = [...row.backends, ...row.externalBackends].find(
    ({ address }) => addressFamily(address) !== family,
  )
  if (!mixed) return undefined
  const name = `${row.service} at ${frontendKey(row)}`
  return new Error(`Cannot serve ${name}: its backend ${mixed.address} is of another family`)
}

export function toKey({ address, port, protocol }: Frontend): layout.ServiceKey {
  return { address, port, protocol: protocolNumber(protocol) }
}

export function toValue(
  row: Frontend,
  id: number,
  internal: BackendSet,
  external: BackendSet,
): layout.Service {
  const { MAGLEV, DSR, SOURCE_RANGES, DROP_EMPTY, DROP_EMPTY_EXTERNAL } = layout.ServiceFlags
  const flags =
    (row.balancing === 'maglev' ? MAGLEV : 0) |
    (row.forwarding === 'dsr' ? DSR : 0) |
    (row.sourceRanges ? SOURCE_RANGES : 0) |
    (row.whenEmpty === 'drop' ? DROP_EMPTY : 0) |
    (row.externalWhenEmpty === 'drop' ? DROP_EMPTY_EXTERNAL : 0)
  return {
    id,
    internal: { id: internal.id, count: internal.count },
    external: { id: external.id, count: external.count },
    affinitySeconds: row.affinitySeconds,
    flags,
  }
}

export function sameValue(a: layout.Service, b: layout.Service): boolean {
  const same = (x: layout.ServiceSet, y: layout.ServiceSet) => x.id === y.id && x.count === y.count
  return (
    same(a.internal, b.internal) &&
    same(a.external, b.external) &&
    a.id === b.id &&
    a.affinitySeconds === b.affinitySeconds &&
    a.flags === b.flags
  )
}
