// Connections that this node has seen, as policy is asked about them: those of the flow table, and
// those of the last while that were refused or have ended.
import type { FlowRecord, RecentConnection } from '../tables/actual.ts'
import type { PolicyConnection } from '../tables/policy.ts'
import { formatAge } from './output.ts'

export interface SeenConnection extends RecentConnection {
  /** Now in the flow table, from different ports. */
  readonly live: number
}

/** Each once. What is live counts however long it has been silent. */
export function seenConnections(
  flows: readonly FlowRecord[],
  recent: readonly RecentConnection[],
  lastSeconds: number,
): SeenConnection[] {
  const seen = new Map<string, SeenConnection>()
  for (const { connection, endedAge } of flows.flatMap(connectionOf)) {
    if (endedAge !== undefined && endedAge > lastSeconds) continue
    const key = keyOf(connection)
    const before = seen.get(key) ?? { ...connection, live: 0, denied: 0 }
    if (endedAge === undefined) seen.set(key, { ...before, live: before.live + 1 })
    else seen.set(key, { ...before, endedAge: Math.min(endedAge, before.endedAge ?? endedAge) })
  }
  for (const { denied, deniedAge, endedAge, ...connection } of recent) {
    const key = keyOf(connection)
    const isDenied = deniedAge !== undefined && deniedAge <= lastSeconds
    const isEnded = endedAge !== undefined && endedAge <= lastSeconds
    if (!isDenied && !isEnded) continue
    seen.set(key, {
      ...{ ...connection, live: 0, denied: 0 },
      ...(isEnded ? { endedAge } : {}),
      ...seen.get(key),
      ...(isDenied ? { denied, deniedAge } : {}),
    })
  }
  return [...seen.values()]
}

/** As its first packet went, after translation of the destination; the other half says the same. */
function connectionOf({
  direction,
  state,
  tuple,
  out,
  idleSeconds,
}: FlowRecord): { connection: PolicyConnection; endedAge?: number }[] {
  if (direction !== 'forward') return []
  const { source, protocol } = tuple
  const { destination, destinationPort: port } = out
  const ended = state === 'closing' ? { endedAge: idleSeconds } : {}
  return [{ connection: { source, destination, protocol, port }, ...ended }]
}

function keyOf({ source, destination, protocol, port }: PolicyConnection): string {
  return `${source} ${destination} ${protocol} ${port}`
}

/** "3 live; denied 40 times, 3 s ago". */
export function describeSeen({ live, denied, deniedAge, endedAge }: SeenConnection): string {
  const times = denied === 1 ? 'once' : `${denied} times`
  return [
    ...(live > 0 ? [`${live} live`] : []),
    ...(live === 0 && endedAge !== undefined ? [`ended ${formatAge(endedAge)} ago`] : []),
    ...(deniedAge !== undefined ? [`denied ${times}, ${formatAge(deniedAge)} ago`] : []),
  ].join('; ')
}
