// Addresses of interfaces.
import { constants } from 'node:os'
import { viewOf } from '../libbpf/records.ts'
import {
  type Address,
  addressFamily,
  addressFromBytes,
  addressToNativeBytes,
} from '../net/address.ts'
import { attribute, FLAGS, type Request, request, uint32Attribute } from './message.ts'
import type { Netlink } from './netlink.ts'
import { Attributes } from './parse.ts'

const NEW_ADDRESS = 20
const DELETE_ADDRESS = 21
const GET_ADDRESS = 22
const FIXED_SIZE = 8
const IFA = { address: 1, local: 2, flags: 8 } as const
const NO_DAD = 0x2
const NO_PREFIX_ROUTE = 0x200
const TENTATIVE = 0x40

export const SCOPES = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const
export type Scope = keyof typeof SCOPES

export interface InterfaceAddress {
  readonly ifindex: number
  readonly address: Address
  /** Bits of the on-link prefix; by default all, /32 or /128. */
  readonly prefixLength?: number
  readonly scope?: Scope
  /** IPv6: usable at once, without duplicate address detection. */
  readonly noDad?: boolean
  /** No route to the on-link prefix is made with it. */
  readonly noPrefixRoute?: boolean
}

/** An address as the kernel reports it. */
export interface ListedAddress {
  readonly ifindex: number
  readonly address: Address
  readonly prefixLength: number
  readonly scope: Scope
  /** IPv6: duplicate address detection has not ended. */
  readonly isTentative: boolean
}

/** An address that is there already is left as it is. */
export function addAddressRequest(address: InterfaceAddress): Request {
  const { noDad = false, noPrefixRoute = false } = address
  const flags = (noDad ? NO_DAD : 0) | (noPrefixRoute ? NO_PREFIX_ROUTE : 0)
  const { bytes, ...rest } = parts(address)
  return request({
    type: NEW_ADDRESS,
    flags: FLAGS.create | FLAGS.replace,
    ...rest,
    attributes: [...bytes, uint32Attribute(IFA.flags, flags)],
    operation: 'add',
  })
}

export function addAddress(netlink: Netlink, address: InterfaceAddress): void {
  netlink.run(addAddressRequest(address))
}

export function deleteAddressRequest(address: InterfaceAddress): Request {
  const { bytes, ...rest } = parts(address)
  return request({ type: DELETE_ADDRESS, ...rest, attributes: bytes, operation: 'delete' })
}

/** False: it was absent. */
export function deleteAddress(netlink: Netlink, address: InterfaceAddress): boolean {
  const [error] = netlink.transact([deleteAddressRequest(address)])
  if (error !== undefined && error.errno !== constants.errno.EADDRNOTAVAIL) throw error
  return error === undefined
}

/** Of both families; of one interface or of all. */
export function listAddresses(netlink: Netlink, ifindex?: number): ListedAddress[] {
  const list = request({
    type: GET_ADDRESS,
    flags: FLAGS.dump,
    fixed: fixed(0, 0, 0, ifindex ?? 0),
    operation: 'list',
    object: 'addresses',
  })
  return netlink.dump(list).flatMap(({ body }) => {
    const [, prefixLength = 0, , scope = 0] = body
    const attributes = new Attributes(body, FIXED_SIZE)
    // Of a point-to-point interface IFA_ADDRESS is the other end's.
    const bytes = attributes.bytes(IFA.local) ?? attributes.bytes(IFA.address)
    if (bytes === undefined) return []
    return [
      {
        ifindex: viewOf(body).getUint32(4, true),
        address: addressFromBytes(bytes),
        prefixLength,
        scope: scopeName(scope),
        isTentative: ((attributes.uint32(IFA.flags) ?? 0) & TENTATIVE) !== 0,
      },
    ]
  })
}

/** The scope's name; numbers between the named ones count as site. */
export function scopeName(number: number): Scope {
  const names = Object.entries(SCOPES) as [Scope, number][]
  return names.find(([, value]) => value === number)?.[0] ?? 'site'
}

function parts({ ifindex, address, prefixLength, scope = 'global' }: InterfaceAddress) {
  const bytes = addressToNativeBytes(address)
  const length = prefixLength ?? bytes.length * 8
  const family = addressFamily(address) === 4 ? 2 : 10
  return {
    fixed: fixed(family, length, SCOPES[scope], ifindex),
    bytes: [attribute(IFA.local, bytes), attribute(IFA.address, bytes)],
    object: `address ${address}/${length} of interface ${ifindex}`,
  }
}

/** struct ifaddrmsg. */
function fixed(family: number, length: number, scope: number, ifindex: number): Uint8Array {
  const bytes = Buffer.from([family, length, 0, scope, 0, 0, 0, 0])
  bytes.writeUInt32LE(ifindex, 4)
  return bytes
}
