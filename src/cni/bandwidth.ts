// The capability bandwidth: bits a second and bits at once, each direction by itself. Pure.
import type { Bandwidth } from '../tables/intent.ts'
import { CniError, CODE } from './error.ts'
import { anyCase, asObject, isEmpty, type JsonObject } from './json.ts'

/**
 * What containerd sends as burst, for Kubernetes has no annotation for one. Taken as a burst it
 * would let half a gigabyte pass before the limit is felt.
 */
const NO_BURST_GIVEN = 2 ** 32 - 1

/** Undefined when no direction is limited. Throws code 7 for what is malformed. */
export function parseBandwidth(value: unknown): Bandwidth | undefined {
  if (isEmpty(value)) return undefined
  const wish = asObject(value)
  if (!wish) throw malformed(value, 'it is no object')
  const ingress = parseDirection(wish, 'ingress')
  const egress = parseDirection(wish, 'egress')
  if (ingress.rate === undefined && egress.rate === undefined) return undefined
  return {
    ...(ingress.rate !== undefined && { ingressBitsPerSecond: ingress.rate }),
    ...(ingress.burst !== undefined && { ingressBurstBits: ingress.burst }),
    ...(egress.rate !== undefined && { egressBitsPerSecond: egress.rate }),
    ...(egress.burst !== undefined && { egressBurstBits: egress.burst }),
  }
}

/** As the row on disk has it. */
export function parseBandwidthRow(value: unknown): Bandwidth | undefined {
  const row = asObject(value)
  return (
    row &&
    parseBandwidth({
      ingressRate: row['ingressBitsPerSecond'],
      ingressBurst: row['ingressBurstBits'],
      egressRate: row['egressBitsPerSecond'],
      egressBurst: row['egressBurstBits'],
    })
  )
}

interface Limit {
  readonly rate: number | undefined
  readonly burst: number | undefined
}

/** A rate of 0 is none; a burst without a rate, unless it is containerd's, is a mistake. */
function parseDirection(wish: JsonObject, direction: 'ingress' | 'egress'): Limit {
  const rate = parseBits(wish, `${direction}Rate`)
  const given = parseBits(wish, `${direction}Burst`)
  const burst = given === 0 || given >= NO_BURST_GIVEN ? undefined : given
  if (rate > 0) return { rate, burst }
  if (burst !== undefined) throw malformed(wish, `${direction}Burst has no ${direction}Rate`)
  return { rate: undefined, burst: undefined }
}

function parseBits(wish: JsonObject, name: string): number {
  const value = anyCase(wish, name) ?? 0
  if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value)
  throw malformed(wish, `${name} is no number of bits`)
}

function malformed(wish: unknown, why: string): CniError {
  return new CniError(CODE.config, `Cannot use bandwidth ${JSON.stringify(wish)}: ${why}`)
}
