// Steps of packet fixtures under a policy.
import type { Address } from '../../src/net/address.ts'
import type { Body } from '../../src/net/packet.ts'
import { IDENTITY } from '../../src/tables/policy.ts'
import { sent } from './connection.ts'
import type { Step } from './fixture.ts'
import { enforce, type PodRules, type PolicyWish } from './policy-rows.ts'
import type { Side } from './topology.ts'

/** Identities of the pods in these fixtures. */
export const ID = { a: 300, b: 301, far: 302, block: IDENTITY.firstCidr + 1 } as const

export function wishOf(s: Side, pods: PolicyWish['pods']): PolicyWish {
  return { pods, identities: { [s.podA]: ID.a, [s.podB]: ID.b, [s.overlayPod]: ID.far } }
}

/** The first of the steps after the policy is in force. */
export function under(pods: (s: Side) => PolicyWish['pods'], steps: (s: Side) => readonly Step[]) {
  return (s: Side): Step[] =>
    steps(s).map((step, at) =>
      at === 0 ? { ...step, before: (world) => enforce(world, wishOf(s, pods(s))) } : step,
    )
}

/** The step after another policy came into force, as the agent does it. */
export function then(step: Step, s: Side, pods: PolicyWish['pods']): Step {
  return {
    ...step,
    before: (world) => {
      enforce(world, wishOf(s, pods))
      world.epoch = 2
    },
  }
}

export function refused(s: Side, from: 'podA' | 'podB', to: Address, body: Body): Step {
  return { ...sent(s, from, to, body), action: 'SHOT' }
}

export const intoB = (rules: PodRules['ingress'] & {}) => (s: Side) => ({
  [s.podB]: { ingress: rules },
})
export const outOfA = (rules: PodRules['egress'] & {}) => (s: Side) => ({
  [s.podA]: { egress: rules },
})
export const WEB = { protocol: 6, port: 8080 } as const
