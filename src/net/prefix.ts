// CIDR prefixes as canonical text ("10.0.1.0/24"), host bits always zero.
import {
  type Address,
  addressFamily,
  addressFromNumber,
  addressToNumber,
  type Family,
  parseAddress,
  parseSloppyAddress,
} from './address.ts'

/** A canonical CIDR prefix; host bits are zero. */
export type Prefix = string & { readonly __brand: 'Prefix' }

/** Parses "address/length" and clears the host bits. Throws on bad text. */
export function parsePrefix(text: string): Prefix {
  return prefixFrom(text, parseAddress)
}

/** The same with the leading zeros that Kubernetes lets pass: see parseSloppyAddress. */
export function parseSloppyPrefix(text: string): Prefix {
  return prefixFrom(text, parseSloppyAddress)
}

function prefixFrom(text: string, parse: (text: string) => Address): Prefix {
  const [addressText = '', lengthText = '', ...rest] = text.split('/')
  if (rest.length > 0 || !/^\d{1,3}$/.test(lengthText)) {
    throw new Error(`Cannot parse prefix "${text}": not of the form address/length`)
  }
  const address = parse(addressText)
  const width = addressFamily(address) === 4 ? 32 : 128
  if (Number(lengthText) > width) {
    throw new Error(`Cannot parse prefix "${text}": length is above ${width}`)
  }
  return prefixOf(address, Number(lengthText))
}

/** The prefix of `length` bits around an address: what an interface address is on-link with. */
export function prefixOf(address: Address, length: number): Prefix {
  const family = addressFamily(address)
  const hostBits = BigInt((family === 4 ? 32 : 128) - length)
  const base = (addressToNumber(address) >> hostBits) << hostBits
  return `${addressFromNumber(base, family)}/${length}` as Prefix
}

export function prefixFamily(prefix: Prefix): Family {
  return prefix.includes(':') ? 6 : 4
}

export function prefixAddress(prefix: Prefix): Address {
  return prefix.slice(0, prefix.indexOf('/')) as Address
}

/** Prefix length in bits of its own family: 0..32 or 0..128. */
export function prefixLength(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1))
}

/** Prefix of one address: /32 or /128. */
export function hostPrefix(address: Address): Prefix {
  return `${address}/${addressFamily(address) === 4 ? 32 : 128}` as Prefix
}

/** Number of addresses in the prefix. */
export function prefixSize(prefix: Prefix): bigint {
  return 1n << BigInt((prefixFamily(prefix) === 4 ? 32 : 128) - prefixLength(prefix))
}

/** The index-th address of the prefix, 0 is its base. Throws outside the prefix. */
export function prefixNth(prefix: Prefix, index: bigint): Address {
  if (index < 0n || index >= prefixSize(prefix)) {
    throw new Error(`Cannot take address ${index} of ${prefix}: outside the prefix`)
  }
  return addressFromNumber(addressToNumber(prefixAddress(prefix)) + index, prefixFamily(prefix))
}

export function prefixContains(prefix: Prefix, address: Address): boolean {
  if (prefixFamily(prefix) !== addressFamily(address)) return false
  const offset = addressToNumber(address) - addressToNumber(prefixAddress(prefix))
  return offset >= 0n && offset < prefixSize(prefix)
}

/**
 * The gateway of a podCIDR, by convention its first host address (base + 1): it lives on weir_host
 * and is never given to a pod. Throws when the podCIDR holds one address only.
 */
export function gatewayOf(podCidr: Prefix): Address {
  return prefixNth(podCidr, 1n)
}
