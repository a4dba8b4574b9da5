// The configuration file of ip-masq-agent, as clusters have it in a ConfigMap: which destinations
// see the pod's own address. YAML or JSON. Pure; what is wrong throws one sentence.
import { parse } from 'yaml'
import { type Prefix, parsePrefix } from '../net/prefix.ts'

export interface MasqueradeFile {
  readonly exclusions: readonly Prefix[]
  /** When to look at the file again at the latest. */
  readonly resyncMs: number
}

const LINK_LOCAL = { 4: '169.254.0.0/16', 6: 'fe80::/10' } as const
/** What ip-masq-agent does not masquerade where there is no file. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']
const RESYNC_MS = 60_000
const FIELDS = ['nonMasqueradeCIDRs', 'masqLinkLocal', 'masqLinkLocalIPv6', 'resyncInterval']
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Without a file. */
export const NO_FILE: MasqueradeFile = {
  exclusions: [...PRIVATE, LINK_LOCAL[4], LINK_LOCAL[6]].map(parsePrefix),
  resyncMs: RESYNC_MS,
}

export function parseMasqueradeFile(text: string): MasqueradeFile {
  const given = (parse(text) ?? {}) as Record<string, unknown>
  if (typeof given !== 'object' || Array.isArray(given)) throw new Error('it is no mapping')
  const unknown = Object.keys(given).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) {
    throw new Error(`field ${unknown} is unknown; there are ${FIELDS.join(', ')}`)
  }
  const exclusions = readPrefixes(given['nonMasqueradeCIDRs'])
  if (!readFlag(given, 'masqLinkLocal')) exclusions.push(parsePrefix(LINK_LOCAL[4]))
  if (!readFlag(given, 'masqLinkLocalIPv6')) exclusions.push(parsePrefix(LINK_LOCAL[6]))
  return { exclusions: [...new Set(exclusions)], resyncMs: readInterval(given['resyncInterval']) }
}

function readPrefixes(list: unknown): Prefix[] {
  if (list === undefined || list === null) return []
  if (!Array.isArray(list)) throw new Error('nonMasqueradeCIDRs is no list')
  return list.map((item, at) => {
    const name = `nonMasqueradeCIDRs[${at}]`
    const prefix = typeof item === 'string' ? tryPrefix(item) : undefined
    if (prefix === undefined) {
      throw new Error(`${name} is ${JSON.stringify(item)}; give a prefix like 10.0.0.0/8`)
    }
    const [address = ''] = String(item).trim().split('/')
    if (!isBase(address, prefix)) {
      throw new Error(`${name} is "${item}", which has host bits; ${prefix} would be one`)
    }
    return prefix
  })
}

function tryPrefix(text: string): Prefix | undefined {
  try {
    return parsePrefix(text.trim())
  } catch {
    return undefined
  }
}

function isBase(address: string, prefix: Prefix): boolean {
  const width = address.includes(':') ? 128 : 32
  return tryPrefix(`${address}/${width}`)?.split('/')[0] === prefix.split('/')[0]
}

function readFlag(given: Record<string, unknown>, name: string): boolean {
  const value = given[name] ?? false
  if (typeof value !== 'boolean') throw new Error(`${name} is ${value}; give true or false`)
  return value
}

/** A duration as Go writes it: "60s", "1m30s". */
function readInterval(value: unknown): number {
  if (value === undefined || value === null) return RESYNC_MS
  const text = String(value)
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    throw new Error(`resyncInterval is ${text}; give a duration like 60s`)
  }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  const ms = parts.reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (UNIT_MS[unit] ?? 0),
    0,
  )
  if (ms < 1000) throw new Error(`resyncInterval is ${text}; give a second or more`)
  return Math.min(ms, 86_400_000)
}
