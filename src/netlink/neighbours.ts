// Neighbour entries: which MAC address an IP address on an interface has.
import { constants } from 'node:os'
import { viewOf } from '../libbpf/records.ts'
import {
  type Address,
  addressFamily,
  addressFromBytes,
  addressToNativeBytes,
} from '../net/address.ts'
import { type Mac, macFromBytes, macToBytes } from '../net/mac.ts'
import { attribute, FLAGS, type Request, request, uint32Attribute, when } from './message.ts'
import type { Netlink } from './netlink.ts'
import { Attributes } from './parse.ts'

const NEW_NEIGHBOUR = 28
const DELETE_NEIGHBOUR = 29
const GET_NEIGHBOUR = 30
const FIXED_SIZE = 12
const NDA = { destination: 1, mac: 2, ifindex: 8 } as const

const STATES = {
  none: 0,
  incomplete: 0x1,
  reachable: 0x2,
  stale: 0x4,
  delay: 0x8,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const
export type NeighbourState = keyof typeof STATES

export interface Neighbour {
  readonly ifindex: number
  readonly address: Address
  readonly mac: Mac
  /** 'permanent' by default: never asked for, never forgotten. */
  readonly state?: NeighbourState
}

/** An entry as the kernel reports it. */
export interface ListedNeighbour {
  readonly ifindex: number
  readonly address: Address
  readonly mac: Mac | undefined
  readonly state: NeighbourState
}

export function replaceNeighbourRequest(neighbour: Neighbour): Request {
  const { ifindex, address, mac, state = 'permanent' } = neighbour
  return request({
    type: NEW_NEIGHBOUR,
    flags: FLAGS.create | FLAGS.replace,
    fixed: fixed(familyNumber(address), ifindex, STATES[state]),
    attributes: [
      attribute(NDA.destination, addressToNativeBytes(address)),
      attribute(NDA.mac, macToBytes(mac)),
    ],
    operation: 'replace',
    object: `neighbour ${address} on interface ${ifindex}`,
  })
}

export function replaceNeighbour(netlink: Netlink, neighbour: Neighbour): void {
  netlink.run(replaceNeighbourRequest(neighbour))
}

export function deleteNeighbourRequest(neighbour: Pick<Neighbour, 'ifindex' | 'address'>): Request {
  const { ifindex, address } = neighbour
  return request({
    type: DELETE_NEIGHBOUR,
    fixed: fixed(familyNumber(address), ifindex, 0),
    attributes: [attribute(NDA.destination, addressToNativeBytes(address))],
    operation: 'delete',
    object: `neighbour ${address} on interface ${ifindex}`,
  })
}

/** False: it was absent. */
export function deleteNeighbour(
  netlink: Netlink,
  neighbour: Pick<Neighbour, 'ifindex' | 'address'>,
): boolean {
  const [error] = netlink.transact([deleteNeighbourRequest(neighbour)])
  if (error !== undefined && error.errno !== constants.errno.ENOENT) throw error
  return error === undefined
}

/** Of both families; of one interface or of all. */
export function listNeighbours(netlink: Netlink, ifindex?: number): ListedNeighbour[] {
  const list = request({
    type: GET_NEIGHBOUR,
    flags: FLAGS.dump,
    fixed: fixed(0, 0, 0),
    attributes: when(ifindex, (index) => uint32Attribute(NDA.ifindex, index)),
    operation: 'list',
    object: 'neighbours',
  })
  return netlink.dump(list).flatMap(({ body }) => {
    const view = viewOf(body)
    const attributes = new Attributes(body, FIXED_SIZE)
    const [destination, mac] = [attributes.bytes(NDA.destination), attributes.bytes(NDA.mac)]
    if (destination === undefined) return []
    return [
      {
        ifindex: view.getInt32(4, true),
        address: addressFromBytes(destination),
        mac: mac?.length === 6 ? macFromBytes(mac) : undefined,
        state: stateName(view.getUint16(8, true)),
      },
    ]
  })
}

function stateName(number: number): NeighbourState {
  const names = Object.entries(STATES) as [NeighbourState, number][]
  return names.find(([, value]) => value === number)?.[0] ?? 'none'
}

function familyNumber(address: Address): number {
  return addressFamily(address) === 4 ? 2 : 10
}

/** struct ndmsg. */
function fixed(family: number, ifindex: number, state: number): Uint8Array {
  const bytes = Buffer.alloc(FIXED_SIZE)
  bytes[0] = family
  bytes.writeInt32LE(ifindex, 4)
  bytes.writeUInt16LE(state, 8)
  return bytes
}
