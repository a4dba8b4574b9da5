// Whom UDP flows are with, by the kernel's own account. An agent that starts asks once: an endpoint
// that terminated is in no set that could be found, and may have gone while nobody was here.
import { setImmediate as turn } from 'node:timers/promises'
import { protocolNumber } from '../net/protocol.ts'
import type { EntryMap } from './entry-map.ts'
import type { Ended } from './flow-gc.ts'
import * as layout from './layout.gen.ts'

export type FlowMap = EntryMap<layout.Tuple, layout.Flow>

/** A full table takes a second: others have their turn meanwhile. */
const PER_TURN = 1024

/** Each endpoint of each service port once. */
export async function udpInUse(maps: readonly FlowMap[]): Promise<Ended[]> {
  const found = new Map<string, Ended>()
  let seen = 0
  for (const map of maps) {
    for (const tuple of map.keys()) {
      if (++seen % PER_TURN === 0) await turn()
      // Most are of TCP, and what is in a flow costs more than its key.
      const flow = tuple.protocol === protocolNumber('UDP') ? map.get(tuple) : undefined
      if (!flow || flow.serviceId === 0 || (flow.flags & layout.FlowFlags.REVERSE) !== 0) continue
      const { destination: address, destinationPort: port } = flow.out
      const { serviceId } = flow
      found.set(`${serviceId} ${address} ${port}`, { serviceId, address, port })
    }
  }
  return [...found.values()]
}
