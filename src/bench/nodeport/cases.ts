// Every way that is measured: a line of the table is a family, a load and where the backend is, a
// column is who serves it. Pure.
import { type Address, addressFamily, parseAddress } from '../../net/address.ts'
import type { Mac } from '../../net/mac.ts'
import { LOADS, type LoadName, type Opening, type Volley, volleysOf } from './frames.ts'
import { localPort, REMOTE_PORTS } from './objects.ts'
import type { Kind } from './subjects.ts'

/** A node as the frames need it. */
export interface Target {
  readonly kind: Kind
  readonly mac: Mac
  readonly addresses: readonly Address[]
}

export interface NodePortCase {
  readonly kind: Kind
  readonly line: string
  readonly column: string
  readonly opening: readonly Opening[]
  readonly load: Volley
}

/** Of documentation; the nodes' default routes lead to them. */
const CLIENTS = { 4: parseAddress('198.51.100.1'), 6: parseAddress('2001:db8::1') } as const

interface Way {
  readonly column: string
  readonly where: 'remote' | 'local'
  readonly nodePort: number
  /** The sink sees questions untranslated but for addresses, so that it can answer them. */
  readonly answered: boolean
}

/** The cases of a node, the `index`th. `routerMac` sends for clients. */
export function casesOf({ kind, mac, addresses }: Target, index: number, routerMac: Mac) {
  const cases: NodePortCase[] = []
  for (const node of addresses) {
    const family = addressFamily(node)
    for (const load of LOADS) {
      for (const { column, where, nodePort, answered } of waysOf(kind, index)) {
        const ends = {
          ...{ client: CLIENTS[family], clientMac: routerMac },
          ...{ node, nodeMac: mac, nodePort },
        }
        const volleys = volleysOf(load, ends, answered)
        const opening = kind.startsWith('bare') ? [] : volleys.opening
        cases.push({ kind, line: lineOf(family, load, where), column, ...volleys, opening })
      }
    }
  }
  return cases
}

function lineOf(family: 4 | 6, load: LoadName, where: Way['where']): string {
  return `ipv${family}.${load}.${where}`
}

function waysOf(kind: Kind, index: number): Way[] {
  const remote = { column: kind, where: 'remote', nodePort: REMOTE_PORTS.snat, answered: true }
  const local = { column: kind, where: 'local', nodePort: localPort(index), answered: true }
  const dsr = {
    ...{ column: `${kind}-dsr`, where: 'remote', nodePort: REMOTE_PORTS.dsr, answered: false },
  }
  const ways = kind.startsWith('bare')
    ? [remote]
    : kind.startsWith('weir')
      ? [remote, local, dsr]
      : [remote, local]
  return ways as Way[]
}
