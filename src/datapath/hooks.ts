// Where programs are attached for good, beside the pods' own filters. A link's pin is named after
// its program and device, so that a restart finds it and swaps the program without a gap.
import { existsSync, statfsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { CgroupAttachType } from '../libbpf/kinds.ts'
import type { Library } from '../libbpf/library.ts'
import { Link } from '../libbpf/link.ts'
import type { Program } from '../libbpf/program.ts'
import type { PinDirectory } from './pins.ts'
import { isXdpPin } from './xdp.ts'

export type Hook =
  | {
      readonly kind: 'tcx'
      readonly program: string
      readonly device: string
      readonly ifindex: number
      readonly direction: 'ingress' | 'egress'
    }
  | {
      readonly kind: 'cgroup'
      readonly program: string
      readonly cgroupPath: string
      readonly attachType: CgroupAttachType
    }

/** CGROUP2_SUPER_MAGIC of linux/magic.h. */
const CGROUP2 = 0x63677270

/** Throws unless the path is in a mounted cgroup2 hierarchy; a v1 one has no programs. */
export function requireCgroup2(cgroupPath: string): void {
  if (existsSync(cgroupPath) && statfsSync(cgroupPath).type === CGROUP2) return
  throw new Error(
    `Cannot translate Services at sockets: ${cgroupPath} is not a cgroup2, ` +
      'give its path with --cgroup-root, or turn --socket-services off',
  )
}

/** Name of the link's pin; bpffs refuses dots. A cgroup is told from its successor by its inode. */
export async function pinName(hook: Hook): Promise<string> {
  if (hook.kind === 'tcx') return `${hook.program}-${hook.device.replaceAll('.', '_')}`
  const { ino } = await stat(hook.cgroupPath)
  return `${hook.program}-${ino}`
}

export interface AttachOptions {
  readonly library: Library
  readonly pins: PinDirectory
  readonly program: (name: string) => Program
  readonly log: Logger
}

/**
 * Makes the pinned links be exactly these hooks: swaps the program where a link is, attaches where
 * none is or its device went away, and removes the rest, which turns their feature off.
 */
export async function attachHooks(hooks: readonly Hook[], options: AttachOptions): Promise<void> {
  const wanted = new Set<string>()
  for (const hook of hooks) {
    const name = await pinName(hook)
    wanted.add(name)
    if (!swapProgram(hook, name, options)) attach(hook, name, options)
  }
  for (const name of options.pins.names()) {
    if (wanted.has(name) || isXdpPin(name)) continue
    options.pins.remove(name)
    options.log.info({ hook: name }, 'Detached a program')
  }
}

/** False when there is no link, or a link whose device or cgroup is gone. */
function swapProgram(hook: Hook, name: string, options: AttachOptions): boolean {
  const { library, pins, program } = options
  if (!pins.has(name)) return false
  try {
    const link = Link.openPinned(library, pins.path(name))
    try {
      link.update(program(hook.program))
      return true
    } finally {
      link.close()
    }
  } catch (error) {
    options.log.debug({ hook: name, err: error }, 'Replacing a dead link')
    pins.remove(name)
    return false
  }
}

function attach(hook: Hook, name: string, options: AttachOptions): void {
  const { library, pins } = options
  const program = options.program(hook.program)
  const link =
    hook.kind === 'tcx'
      ? Link.attachTcx(library, { program, ifindex: hook.ifindex, direction: hook.direction })
      : Link.attachCgroup(library, {
          program,
          cgroupPath: hook.cgroupPath,
          attachType: hook.attachType,
        })
  link.pin(pins.path(name))
  link.close()
  options.log.info({ hook: name }, 'Attached a program')
}
