// The least that BPF over veth can do (bpf/bench/redirect.bpf.c): pods addressed as Weir addresses
// its own, on nodes that only redirect. What Weir's ratio exceeds this one's by is what Weir
// costs.

import { builtObject } from '../lab/paths.ts'
import { openLibrary } from '../libbpf/library.ts'
import { BpfObject } from '../libbpf/object.ts'
import { addressToNativeBytes, parseAddress } from '../net/address.ts'
import { linkByName } from '../netlink/links.ts'
import { Netlink } from '../netlink/netlink.ts'
import { addClsactRequest, replaceBpfFilterRequest } from '../netlink/traffic-control.ts'

/** As `struct redirect_config`, by names of devices. */
export interface RedirectConfig {
  readonly first: string
  readonly second?: string
  readonly uplink?: string
  readonly nextHop?: string
  readonly pod?: string
}

/** Attaches programs of the object to the ingress of devices of a node: [device, program]. */
export function attachRedirect(
  nodeNetns: string,
  config: RedirectConfig,
  filters: readonly (readonly [string, string])[],
): void {
  const library = openLibrary()
  using object = BpfObject.open(library, builtObject('redirect'))
  using netlink = Netlink.open(library, nodeNetns)
  const ifindexOf = (name?: string) => (name ? (linkByName(netlink, name)?.ifindex ?? 0) : 0)
  const bytes = object.initialData('.rodata')
  const ifindexes = [config.first, config.second, config.uplink].map(ifindexOf)
  new Uint32Array(bytes.buffer, bytes.byteOffset, 3).set(ifindexes)
  if (config.nextHop) bytes.set(addressToNativeBytes(parseAddress(config.nextHop)), 12)
  if (config.pod) bytes.set(addressToNativeBytes(parseAddress(config.pod)), 16)
  object.setData('.rodata', bytes)
  object.load()
  for (const [device, name] of filters) {
    const ifindex = ifindexOf(device)
    const programFd = object.program(name).fd
    netlink.run(addClsactRequest(ifindex))
    netlink.run(
      replaceBpfFilterRequest({
        ifindex,
        programFd,
        name,
        priority: 1,
        handle: 1,
        direction: 'ingress',
      }),
    )
  }
}
