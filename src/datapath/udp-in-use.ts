// Whom UDP flows are with, by the kernel's own account. An agent that starts asks once: an endpoint
// that terminated is in no set that could be found, and may have gone while nobody was here.
import { setImmediate as turn } from 'node:timers/promises'
import { protocolNumber } from '../net/protocol.ts'
import type { EntryMap } from './entry-map.ts'
import type { Ended } from './flow-gc.ts'
import * as layout from './layout.gen.ts'

export type FlowMap = EntryMap<layout.Tuple, layout.Flow>

/** A full table takes a second: others have their turn meanwhile. */
const PER_TURN = 4096

/** Each endpoint of each service port once. */
export async function udpInUse(maps: readonly FlowMap[]): Promise<Ended[]> {
  const found = new Map<string, Ended>()
  let seen = 0
  for (const map of maps) {
    for (const [{ protocol }, { serviceId, flags, out }] of map.entries()) {
      if (++seen % PER_TURN === 0) await turn()
      if (protocol !== protocolNumber('UDP') || serviceId === 0) continue
      if ((flags & layout.FlowFlags.REVERSE) !== 0) continue
      const { destination: address, destinationPort: port } = out
      found.set(`${serviceId} ${address} ${port}`, { serviceId, address, port })
    }
  }
  return [...found.values()]
}
