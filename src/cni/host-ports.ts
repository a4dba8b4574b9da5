// The capability portMappings: which ports of the node lead to the pod. Also read back from disk.
// Runtimes write the keys in Go's case or camelCase and the protocol in any. Pure.
import { type Address, parseAddress } from '../net/address.ts'
import type { Protocol } from '../net/protocol.ts'
import type { HostPort } from '../tables/intent.ts'
import { CniError, CODE } from './error.ts'
import { anyCase, asArray, asObject, isEmpty, type JsonObject } from './json.ts'

/** Kubernetes, containerd and the reference plugin write "everywhere" in these ways. */
const EVERYWHERE = ['', '0.0.0.0', '::']

/** Throws code 7 for what is malformed, 2 for SCTP. A mapping of host port 0 asks for nothing. */
export function parseHostPorts(value: unknown): HostPort[] {
  if (isEmpty(value)) return []
  const list = asArray(value)
  if (!list) throw malformed(value, 'it is no list')
  const ports = new Map<string, HostPort>()
  for (const item of list) {
    const port = parseOne(item)
    if (!port) continue
    const place = formatHostPort(port)
    const before = ports.get(place)
    if (before && before.containerPort !== port.containerPort) {
      throw malformed(item, `host port ${place} is mapped twice`)
    }
    ports.set(place, port)
  }
  return [...ports.values()]
}

/** True when both would take the same port of the same address. */
export function hostPortsClash(one: HostPort, other: HostPort): boolean {
  if (one.hostPort !== other.hostPort || one.protocol !== other.protocol) return false
  return one.hostIp === undefined || other.hostIp === undefined || one.hostIp === other.hostIp
}

/** "8080/TCP", or "192.0.2.1 8080/TCP" where one address is meant. */
export function formatHostPort({ hostIp, hostPort, protocol }: HostPort): string {
  return `${hostIp === undefined ? '' : `${hostIp} `}${hostPort}/${protocol}`
}

function parseOne(item: unknown): HostPort | undefined {
  const mapping = asObject(item)
  if (!mapping) throw malformed(item, 'it is no object')
  const hostPort = parsePort(mapping, 'hostPort')
  if (hostPort === 0) return undefined
  const containerPort = parsePort(mapping, 'containerPort')
  if (containerPort === 0) throw malformed(item, 'containerPort is 0')
  const hostIp = parseHostIp(mapping)
  const protocol = parseProtocol(mapping)
  return { hostPort, containerPort, protocol, ...(hostIp === undefined ? {} : { hostIp }) }
}

function parsePort(mapping: JsonObject, name: string): number {
  const value = anyCase(mapping, name) ?? 0
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535) {
    return Number(value)
  }
  throw malformed(mapping, `${name} is no port`)
}

function parseProtocol(mapping: JsonObject): Protocol {
  const value = anyCase(mapping, 'protocol') ?? ''
  const name = typeof value === 'string' ? value.toUpperCase() : undefined
  if (name === '' || name === 'TCP') return 'TCP'
  if (name === 'UDP') return 'UDP'
  if (name !== 'SCTP') throw malformed(mapping, 'its protocol is neither tcp nor udp')
  const text = `Cannot honour "runtimeConfig.portMappings": ${JSON.stringify(mapping)}`
  throw new CniError(CODE.unsupportedField, `${text}: Weir has no SCTP`)
}

function parseHostIp(mapping: JsonObject): Address | undefined {
  const value = anyCase(mapping, 'hostIP') ?? ''
  if (typeof value === 'string' && EVERYWHERE.includes(value.trim())) return undefined
  try {
    return parseAddress(String(value).trim())
  } catch {
    throw malformed(mapping, 'hostIP is no address')
  }
}

function malformed(item: unknown, why: string): CniError {
  return new CniError(CODE.config, `Cannot use portMappings ${JSON.stringify(item)}: ${why}`)
}
