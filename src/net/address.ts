// IP addresses as canonical text, so that equal addresses are equal strings and can be keys.
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** An IPv4 or IPv6 address in canonical text (RFC 5952 for IPv6, never v4-mapped). */
export type Address = string & { readonly __brand: 'Address' }

export type Family = 4 | 6

/**
 * Parses strictly: no leading zeros, no zone, no v4-mapped result (it becomes IPv4). Throws on bad
 * text.
 */
export function parseAddress(text: string): Address {
  const family = isIP(text)
  if (family === 4) return text as Address
  if (family === 6 && text.includes('%')) {
    throw new Error(`Cannot parse address "${text}": it names a zone`)
  }
  if (family === 6) return ipaddr.process(withoutDots(text)).toString() as Address
  throw new Error(`Cannot parse address "${text}": not an IPv4 or IPv6 address`)
}

/**
 * Parses as Kubernetes does: the leading zeros that old objects may carry are dropped, so
 * "010.0.0.8" is 10.0.0.8 and never octal. Else like parseAddress.
 */
export function parseSloppyAddress(text: string): Address {
  return parseAddress(text.replace(/\d+(\.\d+){3}$/, (dotted) => dotted.replace(/\b0+(?=\d)/g, '')))
}

/** Writes an IPv4 tail in hex: ipaddr.js 2.5 takes "::1.2.3.4" for the v4-mapped ::ffff:1.2.3.4. */
function withoutDots(text: string): string {
  const at = text.lastIndexOf(':') + 1
  const bytes = text.slice(at).split('.').map(Number)
  if (bytes.length !== 4) return text
  const [a = 0, b = 0, c = 0, d = 0] = bytes
  return `${text.slice(0, at)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

/** 4 or 6, from the canonical text alone. */
export function addressFamily(address: Address): Family {
  return address.includes(':') ? 6 : 4
}

/** The 16 bytes the datapath uses, network order; IPv4 is v4-mapped (::ffff:a.b.c.d, RFC 4291). */
export function addressToBytes(address: Address): Uint8Array {
  if (address.includes(':')) return Uint8Array.from(ipaddr.parse(address).toByteArray())
  // By hand: a cluster's backends come by the hundred thousand, nearly all of them IPv4.
  const bytes = new Uint8Array(16)
  bytes[10] = 0xff
  bytes[11] = 0xff
  let at = 12
  let value = 0
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i)
    if (code === DOT) {
      bytes[at++] = value
      value = 0
    } else value = value * 10 + code - ZERO
  }
  bytes[at] = value
  return bytes
}

const DOT = 46
const ZERO = 48

/** The address's own 4 or 16 bytes, network order, as rtnetlink wants them. */
export function addressToNativeBytes(address: Address): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray())
}

/** The mirror of addressToBytes; also takes the 4 native bytes of an IPv4 address. */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (isMapped(bytes)) return `${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}` as Address
  return ipaddr.fromByteArray([...bytes]).toString() as Address
}

/** ::ffff:0:0/96 */
function isMapped(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return true
}

/** The address as an unsigned number of its family's width. */
export function addressToNumber(address: Address): bigint {
  if (!address.includes(':')) return BigInt(numberOfIpv4(address))
  return addressToNativeBytes(address).reduce((n, byte) => (n << 8n) | BigInt(byte), 0n)
}

/** By hand, for the same reason as above. */
function numberOfIpv4(address: Address): number {
  let number = 0
  let value = 0
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i)
    if (code === DOT) {
      number = number * 256 + value
      value = 0
    } else value = value * 10 + code - ZERO
  }
  return number * 256 + value
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
