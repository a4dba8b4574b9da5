// The versions of the CNI specification we speak, oldest first. weir-cni holds the same list
// (native/cni/answer.c), because it answers VERSION without the agent.

export const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const

export type Version = (typeof VERSIONS)[number]

export const NEWEST: Version = '1.1.0'

export function atLeast(version: Version, other: Version): boolean {
  return VERSIONS.indexOf(version) >= VERSIONS.indexOf(other)
}
