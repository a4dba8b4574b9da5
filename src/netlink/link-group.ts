// Many interfaces deleted in one step: the kernel then waits once (8 to 20 ms) and not once for
// each. They are put into a group, and the group is deleted.
import type { NetlinkError } from './errors.ts'
import { deleteLinkRequest } from './links.ts'
import { type Request, request, uint32Attribute } from './message.ts'
import type { Netlink } from './netlink.ts'

const DELETE_LINK = 17
const SET_LINK = 19
const FIXED_SIZE = 16
const IFLA_GROUP = 27

/** The absent are fine. `group` must be nobody else's. Answers failures by ifindex. */
export function deleteLinks(
  netlink: Netlink,
  ifindexes: readonly number[],
  group: number,
): Map<number, NetlinkError> {
  const [only] = ifindexes
  if (only === undefined) return new Map()
  const requests =
    ifindexes.length === 1
      ? [deleteLinkRequest(only)]
      : [...ifindexes.map((ifindex) => joinRequest(ifindex, group)), deleteGroupRequest(group)]
  const errors = netlink.transact(requests).map((error) => (isAbsent(error) ? undefined : error))
  const ofAll = errors[ifindexes.length]
  const failures = new Map<number, NetlinkError>()
  ifindexes.forEach((ifindex, at) => {
    const error = errors[at] ?? ofAll
    if (error) failures.set(ifindex, error)
  })
  return failures
}

function joinRequest(ifindex: number, group: number): Request {
  const attributes = [uint32Attribute(IFLA_GROUP, group)]
  const object = `interface ${ifindex}`
  return request({ type: SET_LINK, fixed: fixed(ifindex), attributes, operation: 'change', object })
}

function deleteGroupRequest(group: number): Request {
  const attributes = [uint32Attribute(IFLA_GROUP, group)]
  const object = `interfaces of group ${group}`
  return request({ type: DELETE_LINK, fixed: fixed(0), attributes, operation: 'delete', object })
}

/** struct ifinfomsg. */
function fixed(ifindex: number): Uint8Array {
  const bytes = Buffer.alloc(FIXED_SIZE)
  bytes.writeInt32LE(ifindex, 4)
  return bytes
}

function isAbsent(error: NetlinkError | undefined): boolean {
  return error?.code === 'ENODEV'
}
