// IP addresses as canonical text, so that equal addresses are equal strings and can be keys.
import ipaddr from 'ipaddr.js'

/** An IPv4 or IPv6 address in canonical text (RFC 5952 for IPv6, never v4-mapped). */
export type Address = string & { readonly __brand: 'Address' }

export type Family = 4 | 6

/** Parses strictly: no leading zeros, no zone, no v4-mapped result (it becomes IPv4). Throws on bad text. */
export function parseAddress(text: string): Address {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) {
    throw new Error(`Cannot parse address "${text}": not an IPv4 or IPv6 address`)
  }
  if (text.includes('%')) throw new Error(`Cannot parse address "${text}": it names a zone`)
  return ipaddr.process(text).toString() as Address
}

/** 4 or 6, from the canonical text alone. */
export function addressFamily(address: Address): Family {
  return address.includes(':') ? 6 : 4
}

/** The 16 bytes the datapath uses, network order; IPv4 is v4-mapped (::ffff:a.b.c.d, RFC 4291). */
export function addressToBytes(address: Address): Uint8Array {
  const parsed = ipaddr.parse(address)
  const wide = parsed instanceof ipaddr.IPv4 ? parsed.toIPv4MappedAddress() : parsed
  return Uint8Array.from(wide.toByteArray())
}

/** The address's own 4 or 16 bytes, network order, as rtnetlink wants them. */
export function addressToNativeBytes(address: Address): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray())
}

/** The mirror of addressToBytes; also takes the 4 native bytes of an IPv4 address. */
export function addressFromBytes(bytes: Uint8Array): Address {
  const parsed = ipaddr.fromByteArray([...bytes])
  if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress()) {
    return parsed.toIPv4Address().toString() as Address
  }
  return parsed.toString() as Address
}

/** The address as an unsigned number of its family's width. */
export function addressToNumber(address: Address): bigint {
  return addressToNativeBytes(address).reduce((n, byte) => (n << 8n) | BigInt(byte), 0n)
}

/** The mirror of addressToNumber. */
export function addressFromNumber(value: bigint, family: Family): Address {
  const bytes = new Uint8Array(family === 4 ? 4 : 16)
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) {
    bytes[i] = Number(rest & 0xffn)
  }
  return addressFromBytes(bytes)
}

/** "10.0.0.1:80" or "[fd00::1]:80". */
export function formatAddressPort(address: Address, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
