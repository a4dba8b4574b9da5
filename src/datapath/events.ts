// Drops and decisions of policy as the programs report them, decoded, to whoever listens. Nobody
// listening is the usual case: then batches are thrown away undecoded.
import type { Library } from '../libbpf/library.ts'
import type { BpfMap } from '../libbpf/map.ts'
import { RingBuffer } from '../libbpf/ring-buffer.ts'
import type { DatapathEvent, PolicyDecision } from '../tables/actual.ts'
import { directionName, reasonName } from './inspect.ts'
import * as layout from './layout.gen.ts'

export class Events {
  readonly #listeners = new Set<(event: DatapathEvent) => void>()
  readonly #ring: RingBuffer

  /** Reads from now on; one reader a ring. */
  constructor(library: Library, map: BpfMap) {
    this.#ring = new RingBuffer(library, map, (records) => this.#deliver(records))
    this.#ring.unref()
  }

  /** Calls back for every event until the answered function is called. */
  subscribe(listener: (event: DatapathEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#ring.close()
  }

  #deliver(records: readonly Uint8Array[]): void {
    if (this.#listeners.size === 0) return
    for (const record of records) {
      const event = decodeEvent(record)
      for (const listener of this.#listeners) listener(event)
    }
  }
}

export function decodeEvent(record: Uint8Array): DatapathEvent {
  const event = layout.event.fromBytes(record)
  const policy = policyOf(event)
  return {
    kind: event.reason === layout.DropReason.NONE ? 'verdict' : 'drop',
    timeNs: event.timestamp,
    reason: reasonName(event.reason),
    program: directionName(event.direction),
    ifindex: event.ifindex,
    ...(event.endpointId === 0 ? {} : { endpointId: event.endpointId }),
    lengthBytes: event.length,
    tuple: event.tuple,
    ...(policy ? { policy } : {}),
  }
}

function policyOf({
  reason,
  ruleId,
  identity,
  verdict,
  policyDirection,
}: layout.Event): PolicyDecision | undefined {
  const { NONE, POLICY_EGRESS, POLICY_INGRESS } = layout.DropReason
  if (reason !== NONE && reason !== POLICY_EGRESS && reason !== POLICY_INGRESS) return undefined
  const direction = policyDirection === layout.PolicyDirection.INGRESS ? 'ingress' : 'egress'
  const name = layout.policyVerdictNames.get(verdict)?.toLowerCase()
  return { direction, verdict: name as PolicyDecision['verdict'], ruleId, identity }
}
