// Connected UDP sockets of the kernel, and ending one (sock_diag; CONFIG_INET_DIAG_DESTROY).
import { check } from '../libbpf/errors.ts'
import type { Library } from '../libbpf/library.ts'
import { viewOf } from '../libbpf/records.ts'
import { type Address, addressFromBytes, type Family } from '../net/address.ts'
import { FLAGS, type Request, request } from './message.ts'
import type { Netlink } from './netlink.ts'

const SOCK_DIAG_BY_FAMILY = 20
const SOCK_DESTROY = 21
const FAMILIES: Readonly<Record<Family, number>> = { 4: 2, 6: 10 }
const UDP = 17
/** TCP_ESTABLISHED, which UDP sockets have while they are connected. */
const CONNECTED = 1 << 1
/** struct inet_diag_req_v2: what precedes its struct inet_diag_sockid, and that. */
const REQUEST_HEAD = 8
const ID_SIZE = 48
/** Where struct inet_diag_msg has it. */
const ID_AT = 4

export interface UdpSocket {
  readonly family: Family
  readonly cookie: bigint
  readonly remote: Address
  readonly remotePort: number
  /** struct inet_diag_sockid, as the kernel wants to be told it again. */
  readonly id: Uint8Array
}

/** `netlink` is of Netlink.openSockets(). */
export function listConnectedUdp(netlink: Netlink, family: Family): UdpSocket[] {
  const facts = { operation: 'list', object: 'UDP sockets' }
  const fixed = requestOf(family, new Uint8Array(ID_SIZE))
  const messages = netlink.dump(
    request({ ...facts, type: SOCK_DIAG_BY_FAMILY, flags: FLAGS.dump, fixed }),
  )
  return messages.map(({ body }) => {
    const id = body.slice(ID_AT, ID_AT + ID_SIZE)
    const view = viewOf(id)
    return {
      family,
      cookie: view.getBigUint64(40, true),
      remote: addressFromBytes(id.slice(20, family === 4 ? 24 : 36)),
      remotePort: view.getUint16(2),
      id,
    }
  })
}

/** Gone already; or a kernel without CONFIG_INET_DIAG_DESTROY, where sockets stay as they are. */
const HARMLESS: readonly string[] = ['ENOENT', 'EOPNOTSUPP']

/** Ends them: whoever waits for one gets ECONNABORTED. */
export function destroySockets(netlink: Netlink, sockets: readonly UdpSocket[]): void {
  const errors = netlink.transact(sockets.map(destroyRequest))
  const serious = errors.find((error) => error && !HARMLESS.includes(error.code))
  if (serious) throw serious
}

function destroyRequest({ family, id, remote, remotePort }: UdpSocket): Request {
  const object = `socket to ${remote} ${remotePort}`
  const fixed = requestOf(family, id)
  return request({ type: SOCK_DESTROY, fixed, operation: 'end', object })
}

function requestOf(family: Family, id: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(REQUEST_HEAD + ID_SIZE)
  bytes[0] = FAMILIES[family]
  bytes[1] = UDP
  bytes.writeUInt32LE(CONNECTED, 4)
  bytes.set(id, REQUEST_HEAD)
  return bytes
}

/** By which programs know the network namespace that this process is in. */
export function readNetnsCookie(library: Library): bigint {
  const bytes = new Uint8Array(8)
  check(library.native.weir_netns_cookie(bytes), 'read', 'the network namespace’s cookie')
  return viewOf(bytes).getBigUint64(0, true)
}
