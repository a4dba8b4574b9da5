// One NodePort of the test node with any backends, as who is outside asks for it.
import type { Step } from './fixture.ts'
import { frame, tcp, WAY } from './frames.ts'
import { IFINDEX, type MapRows, PORT, type Side } from './topology.ts'

export const FRONT_PORT = 30080
export const OWN_PORT = 20000
export const ID = 99

export interface Wish {
  readonly backends: readonly (keyof Side)[]
  readonly flags?: number
  readonly affinitySeconds?: number
}

/** A NodePort for everybody, TCP and UDP. */
export function frontRows(
  s: Side,
  { backends, flags = 0, affinitySeconds = 0 }: Wish,
): Partial<MapRows> {
  const set = { id: backends.length ? ID : 0, count: backends.length }
  const value = { id: ID, internal: set, external: set, affinitySeconds, flags }
  const key = { address: s.node, port: FRONT_PORT }
  return {
    services: [6, 17].map((protocol) => [{ ...key, protocol }, value] as const),
    backends: backends.map((name, slot) => {
      const backend = { address: s[name] as Side['podA'], port: PORT.target, hits: 0n }
      return [{ setId: ID, slot }, backend] as const
    }),
  }
}

export function asked(
  s: Side,
  bytes = frame(WAY.fromPeer, s.world, s.node, tcp(1000, FRONT_PORT, 'S')),
): Pick<Step, 'program' | 'on' | 'frame'> {
  return { program: 'from_uplink', on: IFINDEX.uplink, frame: bytes }
}
