// A BPF link: a program held at a hook by an fd or a pin. Once it is pinned it outlives the
// process; update() swaps the program without a packet in between. Making a tcx link takes the
// kernel 8 to 24 ms (an RCU grace period), updating one takes nothing.
import { closeSync, constants, openSync } from 'node:fs'
import { openPin, pinFd, removePin } from './bpffs.ts'
import { check } from './errors.ts'
import {
  attachTypeName,
  CGROUP_ATTACH_TYPES,
  type CgroupAttachType,
  linkTypeName,
  TCX_ATTACH_TYPES,
  XDP_ATTACH_TYPE,
} from './kinds.ts'
import type { Library } from './library.ts'
import type { Program } from './program.ts'
import { readWords, viewOf } from './records.ts'

export type Direction = keyof typeof TCX_ATTACH_TYPES
export type XdpMode = 'native' | 'generic'

export interface TcxHook {
  readonly ifindex: number
  readonly direction: Direction
}

export interface CgroupHook {
  readonly cgroupPath: string
  readonly attachType: CgroupAttachType
}

export interface LinkFacts {
  readonly id: number
  /** "tcx", "xdp", "cgroup". */
  readonly type: string
  readonly programId: number
  /** As sections have it: "ingress", "connect4". */
  readonly attachType: string
  /** 0: not a device's link, or its device is gone. */
  readonly ifindex: number
  /** 0n: not a cgroup's link. */
  readonly cgroupId: bigint
}

const XDP_FLAGS: Readonly<Record<XdpMode, number>> = { generic: 2, native: 4 }
const BPF_F_BEFORE = 8
const INFO_SIZE = 32
const MOST_PROGRAMS = 64

/** An open link. Closing the last fd of a link that is not pinned detaches its program. */
export class Link {
  readonly fd: number
  readonly #library: Library
  readonly #object: string
  #pin: string | undefined

  private constructor(library: Library, fd: number, object: string, pin?: string) {
    this.#library = library
    this.fd = fd
    this.#object = object
    this.#pin = pin
  }

  /** Runs after the programs already there, or before them all with `first`. */
  static attachTcx(
    library: Library,
    { program, ifindex, direction, first = false }: TcxHook & { program: Program; first?: boolean },
  ): Link {
    const type = TCX_ATTACH_TYPES[direction]
    const object = `link of ${program.name} to tcx ${direction} of interface ${ifindex}`
    const flags = first ? BPF_F_BEFORE : 0
    return Link.#create(library, object, [program.fd, ifindex, type, flags])
  }

  /** Without a mode the driver is used where it can, else the generic hook. */
  static attachXdp(
    library: Library,
    { program, ifindex, mode }: { program: Program; ifindex: number; mode?: XdpMode },
  ): Link {
    const object = `link of ${program.name} to xdp of interface ${ifindex}`
    const flags = mode === undefined ? 0 : XDP_FLAGS[mode]
    return Link.#create(library, object, [program.fd, ifindex, XDP_ATTACH_TYPE, flags])
  }

  /** For the cgroup and all below it; beside other programs, after them. */
  static attachCgroup(
    library: Library,
    { program, cgroupPath, attachType }: CgroupHook & { program: Program },
  ): Link {
    const object = `link of ${program.name} to ${attachType} of cgroup ${cgroupPath}`
    return withDirectory(cgroupPath, (fd) =>
      Link.#create(library, object, [program.fd, fd, CGROUP_ATTACH_TYPES[attachType], 0]),
    )
  }

  static #create(library: Library, object: string, call: [number, number, number, number]): Link {
    return new Link(
      library,
      check(library.native.weir_link_create(...call), 'make', object),
      object,
    )
  }

  static openPinned(library: Library, path: string): Link {
    return new Link(library, openPin(library, path), `link ${path}`, path)
  }

  /** Read anew each time: the device or cgroup may go away under a link. */
  facts(): LinkFacts {
    const bytes = new Uint8Array(INFO_SIZE)
    check(this.#library.native.weir_link_info(this.fd, bytes), 'read the facts of', this.#object)
    const view = viewOf(bytes)
    const [id = 0, type = 0, programId = 0, attachType = 0, ifindex = 0] = readWords(view, 8, 5)
    const cgroupId = view.getBigUint64(0, true)
    const names = { type: linkTypeName(type), attachType: attachTypeName(attachType) }
    return { id, ...names, programId, ifindex, cgroupId }
  }

  /** Swaps the program; every packet meets the old one or the new one. */
  update(program: Program): void {
    check(this.#library.native.weir_link_update(this.fd, program.fd), 'update', this.#object)
  }

  pin(path: string): void {
    pinFd(this.#library, this.fd, this.#object, path)
    this.#pin = path
  }

  /** Removes the pin this object made or was opened from; the fd still holds the link. */
  unpin(): void {
    if (this.#pin !== undefined) removePin(this.#pin)
    this.#pin = undefined
  }

  /** Takes the program off its hook now, whoever else holds the link. */
  detach(): void {
    check(this.#library.native.weir_link_detach(this.fd), 'detach', this.#object)
  }

  close(): void {
    closeSync(this.fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Ids of the programs on a hook, in the order they run. */
export function attachedPrograms(library: Library, hook: TcxHook | CgroupHook): number[] {
  const query = (target: number, type: number, object: string) => {
    const ids = new Uint8Array(MOST_PROGRAMS * 4)
    const answer = library.native.weir_program_query(target, type, ids, MOST_PROGRAMS)
    return readWords(viewOf(ids), 0, check(answer, 'list programs of', object))
  }
  if ('ifindex' in hook) {
    const { ifindex, direction } = hook
    return query(ifindex, TCX_ATTACH_TYPES[direction], `interface ${ifindex}`)
  }
  const { cgroupPath, attachType } = hook
  const type = CGROUP_ATTACH_TYPES[attachType]
  return withDirectory(cgroupPath, (fd) => query(fd, type, `cgroup ${cgroupPath}`))
}

function withDirectory<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}
