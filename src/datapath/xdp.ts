// XDP on the uplinks: attached where the driver can, and where not the reason is kept, for tc does
// the same, only later. It never keeps a node from starting.
import type { Logger } from 'pino'
import { KernelError } from '../libbpf/errors.ts'
import type { Library } from '../libbpf/library.ts'
import { Link, type XdpMode } from '../libbpf/link.ts'
import type { Program } from '../libbpf/program.ts'
import type { PinDirectory } from './pins.ts'

export type XdpWish = 'auto' | XdpMode | 'off'

/** What is in force on a device. */
export interface XdpState {
  readonly device: string
  readonly mode: XdpMode | 'off'
  /** Why it is off. */
  readonly reason?: string
}

export interface XdpDevice {
  readonly name: string
  readonly ifindex: number
  /** As `ip -d link` has it: "veth", "vlan"; undefined for hardware. */
  readonly kind: string | undefined
}

export interface XdpOptions {
  readonly library: Library
  readonly pins: PinDirectory
  readonly program: (name: string) => Program
  readonly log: Logger
}

const PROGRAM = 'xdp_uplink'

/** What a refusal by the kernel means here; others are told in its own words. */
const REFUSALS: Readonly<Record<string, string>> = {
  EOPNOTSUPP: 'the driver has no native XDP, or not with the device as it is set (LRO, queues)',
  EBUSY: 'another XDP program is attached',
  EEXIST: 'another XDP program is attached in the other mode',
  EINVAL: 'the driver refuses, most often for its MTU',
  ERANGE: 'the driver refuses, most often for its MTU',
  ENOMEM: 'the driver has no room for the queues that XDP needs',
}

/** Attaches, or swaps the program in place; says what has become of it, device by device. */
export function attachXdp(
  devices: readonly XdpDevice[],
  wish: XdpWish,
  options: XdpOptions,
): XdpState[] {
  const mode: XdpMode = wish === 'generic' ? 'generic' : 'native'
  const able = devices.filter((device) => reasonAgainst(device, wish) === undefined)
  // The kernel takes one mode at a time.
  removeOthers(new Set(able.map(({ name }) => xdpPinName(name, mode))), options)
  return devices.map((device) => {
    const reason = reasonAgainst(device, wish)
    if (reason !== undefined) return { device: device.name, mode: 'off', reason }
    return attachTo(device, mode, wish, options)
  })
}

function attachTo(
  { name: device, ifindex }: XdpDevice,
  mode: XdpMode,
  wish: XdpWish,
  options: XdpOptions,
): XdpState {
  const name = xdpPinName(device, mode)
  if (swapProgram(name, options)) return { device, mode }
  try {
    const program = options.program(PROGRAM)
    const link = Link.attachXdp(options.library, { program, ifindex, mode })
    link.pin(options.pins.path(name))
    link.close()
    options.log.info({ hook: name }, 'Attached a program')
    return { device, mode }
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
    const refused = REFUSALS[error.code]
    options.log[wish === 'auto' ? 'info' : 'warn']({ hook: name, err: error }, 'XDP stays off')
    const reason = refused === undefined ? error.message : `${refused} (${error.code})`
    return { device, mode: 'off', reason }
  }
}

/** Name of the link's pin: the mode is in it, for the kernel does not tell it of a link. */
export function xdpPinName(device: string, mode: XdpMode): string {
  return `${PROGRAM}-${mode}-${device.replaceAll('.', '_')}`
}

/** Of such a pin. */
export function xdpModeOfPin(name: string): XdpMode {
  return name.startsWith(xdpPinName('', 'native')) ? 'native' : 'generic'
}

/** A pin that is attachXdp's affair and not that of the other hooks. */
export function isXdpPin(name: string): boolean {
  return name.startsWith(`${PROGRAM}-`)
}

function reasonAgainst({ kind }: XdpDevice, wish: XdpWish): string | undefined {
  if (wish === 'off') return '--xdp off'
  if (wish === 'auto' && kind === 'veth') {
    return 'a veth holds back what XDP sends unless its peer has XDP too (--xdp native if so)'
  }
  return undefined
}

/** Detached by name, for the kernel works off the last reference to a link at a later time. */
function removeOthers(kept: ReadonlySet<string>, { library, pins, log }: XdpOptions): void {
  for (const name of pins.names()) {
    if (!isXdpPin(name) || kept.has(name)) continue
    using link = Link.openPinned(library, pins.path(name))
    link.detach()
    pins.remove(name)
    log.info({ hook: name }, 'Detached a program')
  }
}

/** False when there is no link, or its device is gone. */
function swapProgram(name: string, { library, pins, program, log }: XdpOptions): boolean {
  if (!pins.has(name)) return false
  try {
    using link = Link.openPinned(library, pins.path(name))
    link.update(program(PROGRAM))
    return true
  } catch (error) {
    log.debug({ hook: name, err: error }, 'Replacing a dead link')
    pins.remove(name)
    return false
  }
}
