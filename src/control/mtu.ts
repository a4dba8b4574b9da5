// How large a pod's packets may be, and why: the uplink's MTU less what the overlay adds.
import type { Family } from '../net/address.ts'
import type { Routing } from '../tables/desired.ts'

/** Outer IP header, UDP 8, VXLAN 8, inner Ethernet 14. */
const OVERLAY_BYTES: Readonly<Record<Family, number>> = { 4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14 }

/** IPv6 requires a link to carry this much (RFC 8200), IPv4 this much (RFC 791). */
const MINIMUM_BYTES: Readonly<Record<Family, number>> = { 4: 68, 6: 1280 }

export interface MtuFacts {
  /** MTU of the uplink, bytes of IP packet; of several, the smallest. */
  readonly uplinkMtu: number
  readonly uplinkName: string
  readonly routing: Routing | 'auto'
  /** Family of the tunnel's outer header. */
  readonly underlayFamily: Family
  /** Families that pods have. */
  readonly podFamilies: readonly Family[]
  /** What the operator set; wins over the derivation. */
  readonly override?: number
}

export interface Mtu {
  /** Bytes of IP packet on a pod's interface. */
  readonly podMtu: number
  /** The derivation in steps, for `weir status`; what is doubtful is the last sentence. */
  readonly derivation: readonly string[]
}

/** `auto` leaves room for the overlay too: a node that is not a neighbour may join at any time. */
export function deriveMtu(facts: MtuFacts): Mtu {
  const { uplinkMtu, uplinkName, routing, underlayFamily, override } = facts
  const overhead = routing === 'native' ? 0 : OVERLAY_BYTES[underlayFamily]
  const largest = uplinkMtu - overhead
  const derivation = [`${uplinkName} carries ${uplinkMtu} bytes`]
  if (overhead > 0) {
    const why = routing === 'auto' ? 'as routing auto may use it' : 'as routing is vxlan'
    derivation.push(`less ${overhead} for VXLAN over IPv${underlayFamily}, ${why}: ${largest}`)
  } else derivation.push(`routing is native, nothing is added: ${largest}`)
  const podMtu = override ?? largest
  if (override !== undefined) derivation.push(`set by the operator: ${override}`)
  if (podMtu > largest) {
    derivation.push(`larger than the ${largest} that fit: full packets will be fragmented or lost`)
  }
  const least = Math.max(...facts.podFamilies.map((family) => MINIMUM_BYTES[family]), 0)
  if (podMtu < least) derivation.push(`smaller than the ${least} that pods' addresses require`)
  return { podMtu, derivation }
}
