// The programs of bpf/bench/volley.bpf.c, and where they stand: sinks at the switch's end of a
// node's cable and in its pod. At the cable of a node with XDP the sink is one of XDP too: the
// kernel lets frames go from driver to driver only then. Anywhere else that would copy every frame.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { mountBpffs } from '../../lab/mounts.ts'
import { builtObject, builtProgram, netnsPath } from '../../lab/paths.ts'
import { run } from '../../lab/run.ts'
import { openLibrary } from '../../libbpf/library.ts'
import { BpfObject } from '../../libbpf/object.ts'
import { linkByName, type NetworkLink } from '../../netlink/links.ts'
import { Netlink } from '../../netlink/netlink.ts'
import { addClsactRequest, replaceBpfFilterRequest } from '../../netlink/traffic-control.ts'

/** CPU of the node's work; what is sent comes from another. */
export const NODE_CPU = 1

const PROGRAMS = ['volley', 'sink', 'sink_xdp', 'bounce', 'bounce_xdp'] as const
const MAPS = ['volleys', 'arrived'] as const
export type VolleyProgram = (typeof PROGRAMS)[number]

/** Loads and pins everything below a new bpffs, which goes with the lab that the path is in. */
export class VolleyPrograms implements Disposable {
  readonly pins: string
  readonly #object: BpfObject

  private constructor(pins: string, object: BpfObject) {
    this.pins = pins
    this.#object = object
  }

  static async load(mount: string): Promise<VolleyPrograms> {
    const pins = join(mount, 'volley')
    await mountBpffs(mount)
    mkdirSync(pins)
    const object = BpfObject.open(openLibrary(), builtObject('volley'))
    object.load()
    for (const name of PROGRAMS) object.program(name).pin(join(pins, name))
    for (const name of MAPS) object.map(name).pin(join(pins, name))
    return new VolleyPrograms(pins, object)
  }

  /** Puts a program where packets enter by a device of a namespace. */
  async attach(name: VolleyProgram, netns: string, device: string): Promise<void> {
    if (name.endsWith('_xdp')) {
      const pinned = ['xdpdrv', 'pinned', join(this.pins, name)]
      const command = ['ip', 'link', 'set', 'dev', device, ...pinned]
      await run(`attach ${name}`, 'nsenter', [`--net=${netnsPath(netns)}`, ...command])
      return
    }
    using netlink = Netlink.open(openLibrary(), netnsPath(netns))
    const ifindex = linkByName(netlink, device)?.ifindex ?? 0
    const filter = { ifindex, name, priority: 1, handle: 1, direction: 'ingress' } as const
    netlink.run(addClsactRequest(ifindex))
    netlink.run(replaceBpfFilterRequest({ ...filter, programFd: this.#object.program(name).fd }))
  }

  [Symbol.dispose](): void {
    this.#object.close()
  }
}

/** What an interface receives becomes the work of a thread on the node's CPU: its pid. */
export async function pollByThread(netns: string, device: string): Promise<number> {
  const command = [builtProgram('weir-poll'), device, String(NODE_CPU)]
  const pid = await run('poll', 'nsenter', [`--net=${netnsPath(netns)}`, ...command])
  return Number(pid)
}

/** A device of a namespace. */
export function deviceOf(netns: string, name: string): NetworkLink {
  using netlink = Netlink.open(openLibrary(), netnsPath(netns))
  const link = linkByName(netlink, name)
  if (!link) throw new Error(`Cannot find ${name} in ${netns}: it is not there`)
  return link
}
