// The clsact qdisc and BPF filters on it. Adding one takes 0.4 ms where a tcx link takes 8 to 24,
// hence its use on the veths of pods; and it lives with its interface, so it needs no pin.
import { constants } from 'node:os'
import { viewOf } from '../libbpf/records.ts'
import { FLAGS, nested, type Request, request, textAttribute, uint32Attribute } from './message.ts'
import type { Netlink } from './netlink.ts'
import { Attributes, type Message } from './parse.ts'

const NEW_QDISC = 36
const DELETE_QDISC = 37
const GET_QDISC = 38
const NEW_FILTER = 44
const DELETE_FILTER = 45
const GET_FILTER = 46
const FIXED_SIZE = 20
const TCA = { kind: 1, options: 2 } as const
const TCA_BPF = { fd: 6, name: 7, flags: 8, tag: 10, id: 11 } as const
const DIRECT_ACTION = 1
const CLSACT_HANDLE = 0xffff0000
const CLSACT_PARENT = 0xfffffff1
const FILTER_PARENTS = { ingress: 0xfffffff2, egress: 0xfffffff3 } as const
// ETH_P_ALL in network order.
const ALL_PROTOCOLS = 0x0300

export type TcDirection = keyof typeof FILTER_PARENTS

export interface BpfFilter {
  readonly ifindex: number
  readonly direction: TcDirection
  readonly programFd: number
  /** Shown by `tc filter show`. */
  readonly name: string
  /** 1..65535, the lowest runs first. */
  readonly priority: number
  readonly handle: number
}

/** A filter's place: what delete needs. */
export type FilterPlace = Pick<BpfFilter, 'ifindex' | 'direction' | 'priority' | 'handle'>

/** A BPF filter as the kernel reports it. */
export interface ListedFilter extends FilterPlace {
  readonly name: string
  readonly programId: number
  /** Hex, as Program.tag. */
  readonly tag: string
  readonly isDirectAction: boolean
}

/** An existing one is left as it is, with its filters. */
export function addClsactRequest(ifindex: number): Request {
  return request({
    type: NEW_QDISC,
    flags: FLAGS.create,
    fixed: fixed({ ifindex, handle: CLSACT_HANDLE, parent: CLSACT_PARENT }),
    attributes: [textAttribute(TCA.kind, 'clsact')],
    operation: 'add',
    object: `clsact to interface ${ifindex}`,
  })
}

export function addClsact(netlink: Netlink, ifindex: number): void {
  netlink.run(addClsactRequest(ifindex))
}

export function deleteClsactRequest(ifindex: number): Request {
  return request({
    type: DELETE_QDISC,
    fixed: fixed({ ifindex, handle: CLSACT_HANDLE, parent: CLSACT_PARENT }),
    operation: 'delete',
    object: `clsact of interface ${ifindex}`,
  })
}

/** Takes all its filters along. False: it was absent, or the interface is. */
export function deleteClsact(netlink: Netlink, ifindex: number): boolean {
  return isThere(netlink, deleteClsactRequest(ifindex))
}

export function hasClsact(netlink: Netlink, ifindex: number): boolean {
  const list = request({
    type: GET_QDISC,
    flags: FLAGS.dump,
    fixed: fixed({ ifindex }),
    operation: 'list',
    object: `qdiscs of interface ${ifindex}`,
  })
  return netlink
    .dump(list)
    .filter(({ body }) => viewOf(body).getInt32(4, true) === ifindex)
    .some(({ body }) => new Attributes(body, FIXED_SIZE).text(TCA.kind) === 'clsact')
}

/** Adds the filter or swaps its program; each packet meets the old one or the new one. */
export function replaceBpfFilterRequest(filter: BpfFilter): Request {
  const options = nested(
    TCA.options,
    uint32Attribute(TCA_BPF.fd, filter.programFd),
    textAttribute(TCA_BPF.name, filter.name),
    uint32Attribute(TCA_BPF.flags, DIRECT_ACTION),
  )
  return request({
    type: NEW_FILTER,
    flags: FLAGS.create,
    fixed: filterFixed(filter),
    attributes: [textAttribute(TCA.kind, 'bpf'), options],
    operation: 'replace',
    object: `filter ${filter.name} at ${filter.direction} of interface ${filter.ifindex}`,
  })
}

export function replaceBpfFilter(netlink: Netlink, filter: BpfFilter): void {
  netlink.run(replaceBpfFilterRequest(filter))
}

export function deleteBpfFilterRequest(filter: FilterPlace): Request {
  return request({
    type: DELETE_FILTER,
    fixed: filterFixed(filter),
    attributes: [textAttribute(TCA.kind, 'bpf')],
    operation: 'delete',
    object: `filter ${filter.handle} at ${filter.direction} of interface ${filter.ifindex}`,
  })
}

/** False: it was absent, or the interface is. */
export function deleteBpfFilter(netlink: Netlink, filter: FilterPlace): boolean {
  return isThere(netlink, deleteBpfFilterRequest(filter))
}

/** The BPF filters of one direction, in the order they run; none without a clsact qdisc. */
export function listBpfFilters(
  netlink: Netlink,
  ifindex: number,
  direction: TcDirection,
): ListedFilter[] {
  const list = request({
    type: GET_FILTER,
    flags: FLAGS.dump,
    fixed: fixed({ ifindex, parent: FILTER_PARENTS[direction] }),
    operation: 'list',
    object: `filters at ${direction} of interface ${ifindex}`,
  })
  return netlink.dump(list).flatMap((message) => parseFilter(message, direction))
}

function parseFilter({ body }: Message, direction: TcDirection): ListedFilter[] {
  const view = viewOf(body)
  const attributes = new Attributes(body, FIXED_SIZE)
  const options = attributes.nested(TCA.options)
  const handle = view.getUint32(8, true)
  // Each priority is also listed once by itself, with handle 0.
  if (attributes.text(TCA.kind) !== 'bpf' || handle === 0) return []
  return [
    {
      ifindex: view.getInt32(4, true),
      direction,
      handle,
      priority: view.getUint32(16, true) >>> 16,
      name: options.text(TCA_BPF.name) ?? '',
      programId: options.uint32(TCA_BPF.id) ?? 0,
      tag: Buffer.from(options.bytes(TCA_BPF.tag) ?? []).toString('hex'),
      isDirectAction: ((options.uint32(TCA_BPF.flags) ?? 0) & DIRECT_ACTION) !== 0,
    },
  ]
}

const { EINVAL, ENODEV, ENOENT } = constants.errno

/** EINVAL is the kernel's answer where there is no clsact qdisc to look in. */
function isThere(netlink: Netlink, absentIsFine: Request): boolean {
  const [error] = netlink.transact([absentIsFine])
  if (error !== undefined && ![EINVAL, ENODEV, ENOENT].includes(error.errno)) throw error
  return error === undefined
}

function filterFixed({ ifindex, direction, priority, handle }: FilterPlace): Uint8Array {
  const parent = FILTER_PARENTS[direction]
  return fixed({ ifindex, handle, parent, information: priority * 0x10000 + ALL_PROTOCOLS })
}

/** struct tcmsg. */
function fixed(message: {
  ifindex: number
  handle?: number
  parent?: number
  information?: number
}): Uint8Array {
  const { ifindex, handle = 0, parent = 0, information = 0 } = message
  const bytes = Buffer.alloc(FIXED_SIZE)
  bytes.writeInt32LE(ifindex, 4)
  bytes.writeUInt32LE(handle, 8)
  bytes.writeUInt32LE(parent, 12)
  bytes.writeUInt32LE(information, 16)
  return bytes
}
