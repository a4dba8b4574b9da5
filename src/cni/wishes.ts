// What a caller asks of one interface: its MAC, its addresses, host ports, limits of bandwidth, the
// DNS it wants echoed. It may come as capability (runtimeConfig), as args.cni, or in CNI_ARGS; the
// first of these that speaks wins. A wish we cannot fulfil is refused with code 2: silence would
// look like success.
import { type Address, addressFamily, parseAddress } from '../net/address.ts'
import { type Mac, parseMac } from '../net/mac.ts'
import type { Bandwidth, HostPort } from '../tables/intent.ts'
import { parseBandwidth } from './bandwidth.ts'
import { CniError, CODE } from './error.ts'
import { parseHostPorts } from './host-ports.ts'
import { anyCase, asArray, asObject, asString, isEmpty, type JsonObject } from './json.ts'
import type { Request } from './request.ts'

export interface Dns {
  readonly nameservers?: readonly string[]
  readonly domain?: string
  readonly search?: readonly string[]
  readonly options?: readonly string[]
}

export interface Wishes {
  readonly mac: Mac | undefined
  readonly addresses: readonly Address[]
  readonly hostPorts: readonly HostPort[]
  readonly bandwidth: Bandwidth | undefined
  readonly dns: Dns
}

/** What a runtime says about the pod without asking for anything. */
const ABOUT_THE_POD = ['io.kubernetes.cri.pod-annotations', 'cgroupPath']
/** Capabilities that do something, as the conflist declares them. */
export const CAPABILITIES = ['portMappings', 'bandwidth', 'mac', 'ips', 'dns'] as const
const HONOURED = [...CAPABILITIES, ...ABOUT_THE_POD].map((name) => name.toLowerCase())

export function parseWishes({ config, args }: Request): Wishes {
  refuseForeignKeys(config)
  const capabilities = asObject(config['runtimeConfig']) ?? {}
  const conventions = asObject(asObject(config['args'])?.['cni']) ?? {}
  for (const [name, value] of Object.entries(capabilities)) {
    if (HONOURED.includes(name.toLowerCase()) || isEmpty(value)) continue
    refuse(`runtimeConfig.${name}`, value)
  }
  const mac = [anyCase(capabilities, 'mac'), conventions['mac'], args.mac]
  const ips = [anyCase(capabilities, 'ips'), conventions['ips'], args.ip]
  return {
    mac: parseWishedMac(mac.find((value) => !isEmpty(value))),
    addresses: parseWishedAddresses(ips.find((value) => !isEmpty(value))),
    hostPorts: parseHostPorts(anyCase(capabilities, 'portMappings')),
    bandwidth: parseBandwidth(anyCase(capabilities, 'bandwidth')),
    dns: parseDns(asObject(anyCase(capabilities, 'dns')) ?? asObject(config['dns']) ?? {}),
  }
}

function refuseForeignKeys(config: JsonObject): void {
  if (!isEmpty(config['prevResult'])) {
    throw new CniError(
      CODE.config,
      'Cannot use the network configuration: it has a prevResult, and Weir must be first',
    )
  }
  if (!isEmpty(config['ipam'])) refuse('ipam', config['ipam'])
}

/** The specification wants the key and the value in the text. */
function refuse(key: string, value: unknown): never {
  const text = `Cannot honour "${key}": ${JSON.stringify(value)}: Weir does not do this`
  throw new CniError(CODE.unsupportedField, text)
}

function parseWishedMac(value: unknown): Mac | undefined {
  if (value === undefined) return undefined
  try {
    const mac = parseMac(asString(value))
    if (Number.parseInt(mac.slice(0, 2), 16) & 1) throw new Error('it is a group address')
    return mac
  } catch (error) {
    throw new CniError(CODE.config, `Cannot use MAC "${value}": ${(error as Error).message}`)
  }
}

/** "address" or "address/length", one or a list; the length is ours to say, so it is not read. */
function parseWishedAddresses(value: unknown): Address[] {
  if (value === undefined) return []
  const list = typeof value === 'string' ? value.split(',') : (asArray(value) ?? [value])
  const addresses = list.map((item) => {
    try {
      return parseAddress(asString(item).trim().split('/')[0] ?? '')
    } catch (error) {
      throw new CniError(CODE.config, `Cannot use address "${item}": ${(error as Error).message}`)
    }
  })
  if (new Set(addresses.map(addressFamily)).size < addresses.length) {
    const text = `Cannot use addresses ${addresses.join(', ')}: an endpoint has one per family`
    throw new CniError(CODE.config, text)
  }
  return addresses
}

/** The capability says servers and searches, the network configuration nameservers and search. */
function parseDns(dns: JsonObject): Dns {
  const strings = (...names: string[]): string[] =>
    names.flatMap((name) => (asArray(anyCase(dns, name)) ?? []).map(asString)).filter(Boolean)
  const nameservers = strings('servers', 'nameservers')
  const search = strings('searches', 'search')
  const options = strings('options')
  const domain = asString(anyCase(dns, 'domain'))
  return {
    ...(nameservers.length > 0 && { nameservers }),
    ...(domain && { domain }),
    ...(search.length > 0 && { search }),
    ...(options.length > 0 && { options }),
  }
}
