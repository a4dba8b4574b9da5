// The programs of a node as they are attached: pinned links, the filters on pods' veths, and what
// is pinned without a hook. Read from pins and the kernel alone, so also while the agent is away.
import type { Library } from '../libbpf/library.ts'
import { Link } from '../libbpf/link.ts'
import { Program } from '../libbpf/program.ts'
import { listLinks } from '../netlink/links.ts'
import { Netlink } from '../netlink/netlink.ts'
import { listBpfFilters } from '../netlink/traffic-control.ts'
import type { ActualProgram } from '../tables/actual.ts'
import { POD_VETH } from './endpoints.ts'
import type { Inspected } from './inspect.ts'
import { pinsUnder } from './pins.ts'
import { xdpModeOfPin } from './xdp.ts'

/** One place where a program is. */
interface Attached {
  readonly programId: number
  readonly hook: string
  /** A device or cgroup. */
  readonly place: string
}

/** By hook, then name; a program that many devices share is one. `netns`: the node's, by path. */
export function listPrograms({
  library,
  bpfRoot,
  netns,
}: Inspected & { readonly netns?: string }): ActualProgram[] {
  using netlink = Netlink.open(library, netns)
  const names = new Map(listLinks(netlink).map(({ ifindex, name }) => [ifindex, name]))
  const attached = [
    ...pinnedLinks(library, bpfRoot, names),
    ...podFilters(netlink, names),
    ...pinnedPrograms(library, bpfRoot),
  ]
  const groups = Map.groupBy(attached, ({ programId, hook }) => `${hook} ${programId}`)
  return [...groups.values()]
    .flatMap(([first, ...others]) => {
      if (!first) return []
      const places = [first, ...others].map(({ place }) => place).filter((place) => place !== '')
      return describe(library, first, places) ?? []
    })
    .sort((a, b) => (`${a.hook} ${a.name}` < `${b.hook} ${b.name}` ? -1 : 1))
}

function pinnedLinks(
  library: Library,
  bpfRoot: string,
  names: ReadonlyMap<number, string>,
): Attached[] {
  const { links } = pinsUnder(bpfRoot)
  return links.names().map((pin) => {
    using link = Link.openPinned(library, links.path(pin))
    const { type, attachType, programId, ifindex, cgroupId } = link.facts()
    const kind = type === 'xdp' ? xdpModeOfPin(pin) : attachType
    // A link outlives its device.
    const device = ifindex === 0 ? 'gone' : (names.get(ifindex) ?? `interface ${ifindex}`)
    const place = type === 'cgroup' ? `cgroup ${cgroupId}` : device
    return { programId, hook: `${type} ${kind}`, place }
  })
}

function podFilters(netlink: Netlink, names: ReadonlyMap<number, string>): Attached[] {
  return [...names]
    .filter(([, name]) => POD_VETH.test(name))
    .flatMap(([ifindex, place]) =>
      (['ingress', 'egress'] as const).flatMap((direction) =>
        listBpfFilters(netlink, ifindex, direction).map(({ programId }) => {
          return { programId, hook: `clsact ${direction}`, place }
        }),
      ),
    )
}

function pinnedPrograms(library: Library, bpfRoot: string): Attached[] {
  const { programs } = pinsUnder(bpfRoot)
  return programs.names().map((pin) => {
    using program = Program.openPinned(library, programs.path(pin))
    return { programId: program.id, hook: 'none', place: '' }
  })
}

/** Undefined when it has gone meanwhile: an agent swaps programs as it starts. */
function describe(
  library: Library,
  { programId, hook }: Attached,
  places: readonly string[],
): ActualProgram | undefined {
  try {
    using program = Program.openId(library, programId)
    const { name, id, tag, verifiedInstructions, jitedBytes } = program
    return { name, id, tag, hook, places, verifiedInstructions, jitedBytes, ...program.runTime() }
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined
    throw error
  }
}
