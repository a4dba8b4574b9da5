// What of Weir is on this machine: interfaces, routes, pins, programs on cgroups and devices,
// files. Only looks.
import { existsSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { CONFLIST } from '../cni/conflist.ts'
import { POD_VETH } from '../datapath/endpoints.ts'
import { HOST_DEVICE, HOST_PEER, OVERLAY_DEVICE } from '../datapath/gateway.ts'
import { ROUTE_PROTOCOL } from '../datapath/node-routes.ts'
import { pinsUnder } from '../datapath/pins.ts'
import { CGROUP_ATTACH_TYPES, type CgroupAttachType } from '../libbpf/kinds.ts'
import type { Library } from '../libbpf/library.ts'
import { attachedPrograms } from '../libbpf/link.ts'
import { Program } from '../libbpf/program.ts'
import { listLinks } from '../netlink/links.ts'
import { Netlink } from '../netlink/netlink.ts'
import { listRoutes, MAIN_TABLE } from '../netlink/routes.ts'

export interface Places {
  readonly bpfRoot: string
  readonly stateDir: string
  readonly runDir: string
  readonly cniConfDir: string
  readonly cniBinDir: string
  /** Root of the cgroup2 hierarchy. */
  readonly cgroupRoot: string
}

/** The hooks of sockets that Weir may use, and how its programs on them are called. */
const SOCKET_HOOKS = Object.keys(CGROUP_ATTACH_TYPES).filter((name) => {
  return /^(connect|sendmsg|recvmsg|getpeername|bind|post_bind)[46]$|^sock_release$/.test(name)
}) as CgroupAttachType[]
const OWN_PROGRAM = /^(sock_|from_|to_|xdp_uplink)/
const CGROUP2_MAGIC = 0x63677270

/** What the runtime reads; it goes first, so that no pod begins while the rest goes. */
export function ownCniFiles({ cniConfDir, cniBinDir }: Places): string[] {
  return [join(cniConfDir, CONFLIST), join(cniBinDir, 'weir-cni')]
}

/** What the agent and weir-cni keep below the state and the run directory. */
export function ownFiles({ stateDir, runDir }: Places): string[] {
  const state = ['endpoints', 'cni-queue', 'positions.json', 'own-node.json'].map((name) =>
    join(stateDir, name),
  )
  return [...state, join(runDir, 'weir.sock')]
}

/** One line for each thing, in this network namespace. */
export function findLeftovers(library: Library, places: Places): string[] {
  using netlink = Netlink.open(library)
  const ours = [HOST_DEVICE, HOST_PEER, OVERLAY_DEVICE]
  const { links, maps, programs } = pinsUnder(places.bpfRoot)
  const devices = listLinks(netlink)
  return [
    ...devices
      .filter(({ name }) => ours.includes(name) || POD_VETH.test(name))
      .map(({ name }) => `interface ${name}`),
    ...listRoutes(netlink, { table: MAIN_TABLE })
      .filter(({ protocol }) => protocol === ROUTE_PROTOCOL)
      .map(({ prefix }) => `route ${prefix}`),
    ...[links, maps, programs].flatMap((pins) =>
      pins.names().map((name) => `pin ${pins.path(name)}`),
    ),
    ...devices.flatMap(({ name, ifindex }) =>
      (['ingress', 'egress'] as const).flatMap((direction) =>
        namesOf(library, attachedPrograms(library, { ifindex, direction })).map(
          (program) => `program ${program} on ${name}, ${direction}`,
        ),
      ),
    ),
    ...socketPrograms(library, places.cgroupRoot),
    ...[...ownFiles(places), ...ownCniFiles(places)]
      .filter((path) => existsSync(path))
      .map((path) => `file ${path}`),
  ]
}

function socketPrograms(library: Library, cgroupPath: string): string[] {
  if (!existsSync(cgroupPath) || statfsSync(cgroupPath).type !== CGROUP2_MAGIC) return []
  return SOCKET_HOOKS.flatMap((attachType) => {
    const ids = attachedPrograms(library, { cgroupPath, attachType })
    return namesOf(library, ids).map((name) => `program ${name} on ${cgroupPath}, ${attachType}`)
  })
}

/** Those that are Weir's; a program may go between the look at the hook and the look at it. */
function namesOf(library: Library, ids: readonly number[]): string[] {
  return ids
    .map((id) => {
      try {
        using program = Program.openId(library, id)
        return program.name
      } catch {
        return ''
      }
    })
    .filter((name) => OWN_PROGRAM.test(name))
}
