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
  const bytes = new Uint8Array(16)
  putAddress(new DataView(bytes.buffer), 0, address)
  return bytes
}

/** Writes those bytes at `at`. */
export function putAddress(view: DataView, at: number, address: Address): void {
  if (address.includes(':')) {
    for (const [i, byte] of ipaddr.parse(address).toByteArray().entries()) {
      view.setUint8(at + i, byte)
    }
    return
  }
  // By hand: a cluster's backends come by the hundred thousand, nearly all of them IPv4.
  view.setUint32(at, 0)
  view.setUint32(at + 4, 0)
  view.setUint32(at + 8, MAPPED)
  view.setUint32(at + 12, numberOfIpv4(address))
}

/** The mirror of putAddress. */
export function takeAddress(view: DataView, at: number): Address {
  const byte = (i: number): number => view.getUint8(at + i)
  if (view.getUint32(at) === 0 && view.getUint32(at + 4) === 0) {
    const isMapped = view.getUint32(at + 8) === MAPPED
    if (isMapped) return `${byte(12)}.${byte(13)}.${byte(14)}.${byte(15)}` as Address
  }
  const bytes = Array.from({ length: 16 }, (_, i) => byte(i))
  return ipaddr.fromByteArray(bytes).toString() as Address
}

const DOT = 46
const ZERO = 48
/** The third of the four words of ::ffff:0:0/96. */
const MAPPED = 0xffff

/** The address's own 4 or 16 bytes, network order, as rtnetlink wants them. */
export function addressToNativeBytes(address: Address): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray())
}

/** The mirror of addressToBytes; also takes the 4 native bytes of an IPv4 address. */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length !== 16) return ipaddr.fromByteArray([...bytes]).toString() as Address
  return takeAddress(new DataView(bytes.buffer, bytes.byteOffset), 0)
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
