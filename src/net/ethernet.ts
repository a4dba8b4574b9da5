// Ethernet frames around and beside IP: ARP, VXLAN.
import { type Address, addressToNativeBytes } from './address.ts'
import { concat, uint16, uint32 } from './bytes.ts'
import { type Mac, macToBytes } from './mac.ts'

export const ETHERNET_BYTES = 14
export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const

/** Any Ethernet frame. */
export function ethernet(frame: {
  readonly sourceMac: Mac
  readonly destinationMac: Mac
  readonly type: number
  readonly payload: Uint8Array
}): Uint8Array {
  const { sourceMac, destinationMac, type, payload } = frame
  return concat(macToBytes(destinationMac), macToBytes(sourceMac), uint16(type), payload)
}

export interface Arp {
  readonly sourceMac: Mac
  readonly destinationMac: Mac
  readonly operation: 'request' | 'reply'
  readonly senderMac: Mac
  readonly sender: Address
  readonly targetMac: Mac
  readonly target: Address
}

/** An ARP frame for IPv4 over Ethernet. */
export function buildArp(arp: Arp): Uint8Array {
  const payload = concat(
    uint16(1),
    uint16(ETHERTYPE.ipv4),
    Uint8Array.of(6, 4),
    uint16(arp.operation === 'request' ? 1 : 2),
    macToBytes(arp.senderMac),
    addressToNativeBytes(arp.sender),
    macToBytes(arp.targetMac),
    addressToNativeBytes(arp.target),
  )
  return ethernet({ ...arp, type: ETHERTYPE.arp, payload })
}

/** The VXLAN header (RFC 7348) and the inner frame: the payload of the outer UDP. */
export function vxlan(vni: number, inner: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0x08, 0, 0, 0), uint32((vni << 8) >>> 0), inner)
}
