// Services over the maps and programs of a loaded object, with what ends UDP.
import type { Library } from '../libbpf/library.ts'
import type { BpfObject } from '../libbpf/object.ts'
import { endSockets, findDeadSockets } from './dead-sockets.ts'
import { KernelMap } from './entry-map.ts'
import { purgeFlows } from './flow-gc.ts'
import { maps } from './layout.gen.ts'
import { Services } from './services.ts'
import { udpInUse } from './udp-in-use.ts'

export interface OpenServicesOptions {
  readonly library: Library
  readonly maglevSize: number
  /** Paths of the pods' network namespaces now. */
  readonly podNamespaces: () => Iterable<string>
}

/** Call restore() before the first round. */
export function openServices(
  object: BpfObject,
  { library, maglevSize, podNamespaces }: OpenServicesOptions,
): Services {
  const serviceMaps = {
    services: new KernelMap(object.map('services'), maps.services),
    backends: new KernelMap(object.map('backends'), maps.backends),
    sourceRanges: new KernelMap(object.map('source_ranges'), maps.sourceRanges),
  }
  const flows = [
    new KernelMap(object.map('flows'), maps.flows),
    new KernelMap(object.map('embryos'), maps.embryos),
  ]
  const sockFrontends = new KernelMap(object.map('sock_frontends'), maps.sockFrontends)
  const endedMap = new KernelMap(object.map('ended'), maps.ended)
  const purge = object.program('flow_purge')
  return new Services(serviceMaps, {
    maglevSize,
    endFlows: (ended) => purgeFlows(purge, endedMap, ended),
    endSockets: (present) =>
      endSockets(library, findDeadSockets(sockFrontends, present), podNamespaces()),
    inUse: () => udpInUse(flows),
  })
}
