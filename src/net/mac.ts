// Ethernet addresses as lower-case text ("02:00:00:00:00:01").
import { randomBytes } from 'node:crypto'

export type Mac = string & { readonly __brand: 'Mac' }

/** Parses six colon-separated bytes in any case. Throws on bad text. */
export function parseMac(text: string): Mac {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) {
    throw new Error(`Cannot parse MAC "${text}": not six colon-separated bytes`)
  }
  return text.toLowerCase() as Mac
}

/** The six bytes, in wire order. */
export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16))
}

export function macFromBytes(bytes: Uint8Array): Mac {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') as Mac
}

/** A random unicast, locally administered MAC (IEEE 802: bit 1 of byte 0 set, bit 0 clear). */
export function randomMac(): Mac {
  const bytes = randomBytes(6)
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02
  return macFromBytes(bytes)
}
