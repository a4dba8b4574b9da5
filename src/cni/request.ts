// A CNI call, validated: environment and network configuration in, one typed request out.
// Nothing past this file sees a raw CNI_ variable or the JSON of the configuration.
import { type CniArgs, parseCniArgs } from './args.ts'
import { CniError, CODE } from './error.ts'
import { asObject, type JsonObject } from './json.ts'
import { atLeast, NEWEST, VERSIONS, type Version } from './versions.ts'

/** What weir-cni carries over: CNI_* variables by name, and standard input. */
export interface CniCall {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: string
}

export const VERBS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const
export type Verb = (typeof VERBS)[number]

export interface Request {
  readonly verb: Verb
  readonly version: Version
  /** Name of the network. */
  readonly network: string
  readonly config: JsonObject
  readonly containerId: string
  readonly ifName: string
  /** Path, or '' where the verb allows it to be absent. */
  readonly netns: string
  readonly netnsOverride: boolean
  readonly args: CniArgs
}

const REQUIRED: Record<Verb, readonly string[]> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
  GC: ['CNI_PATH'],
  STATUS: ['CNI_PATH'],
  VERSION: [],
}

/** The first version of the specification that knows the verb. */
const SINCE: Partial<Record<Verb, Version>> = { CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' }

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

/** The verb, with every variable it needs. Throws code 4 naming all that are missing. */
export function parseVerb(env: CniCall['env']): Verb {
  const verb = VERBS.find((known) => known === env['CNI_COMMAND'])
  if (!verb) {
    const text = env['CNI_COMMAND'] ? `"${env['CNI_COMMAND']}" is no verb` : 'it is not set'
    throw new CniError(CODE.environment, `Cannot read CNI_COMMAND: ${text}`)
  }
  const missing = REQUIRED[verb].filter((name) => !env[name])
  if (missing.length > 0) {
    throw new CniError(CODE.environment, `Cannot run ${verb}: not set: ${missing.join(', ')}`)
  }
  return verb
}

/** Decodes the configuration. Throws code 6. */
export function decodeConfig(stdin: string): JsonObject {
  let json: unknown
  try {
    json = JSON.parse(stdin)
  } catch (error) {
    const { message } = error as Error
    throw new CniError(CODE.decode, 'Cannot decode the network configuration: bad JSON', message)
  }
  const config = asObject(json)
  if (!config) {
    throw new CniError(CODE.decode, 'Cannot decode the network configuration: not a JSON object')
  }
  return config
}

/** The version an error may be given in: the configuration's own where it is a sane one. */
export function versionForErrors(config: JsonObject): Version {
  return VERSIONS.find((version) => version === config['cniVersion']) ?? NEWEST
}

/** Validates everything the verb needs. Throws CniError with the specification's code. */
export function parseRequest(verb: Verb, env: CniCall['env'], config: JsonObject): Request {
  const version = parseVersion(verb, config['cniVersion'])
  const network = config['name']
  if (typeof network !== 'string' || !NAME.test(network)) {
    const text = network === undefined ? 'it has no name' : `name "${network}" is not allowed`
    throw new CniError(CODE.config, `Cannot use the network configuration: ${text}`)
  }
  const containerId = env['CNI_CONTAINERID'] ?? ''
  const ifName = env['CNI_IFNAME'] ?? ''
  if (REQUIRED[verb].includes('CNI_CONTAINERID')) {
    checkContainerId(containerId)
    checkIfName(ifName)
  }
  return {
    verb,
    version,
    network,
    config,
    containerId,
    ifName,
    netns: env['CNI_NETNS'] ?? '',
    netnsOverride: /^(1|true)$/i.test(env['CNI_NETNS_OVERRIDE'] ?? ''),
    // Only ADD uses them; a DEL must not fail over what its ADD was given.
    args: parseCniArgs(verb === 'ADD' ? (env['CNI_ARGS'] ?? '') : ''),
  }
}

/**
 * Absent means 0.1.0, as in libcni (the specification's text says 0.2.0; the results are the
 * same).
 */
function parseVersion(verb: Verb, value: unknown): Version {
  const text = value === undefined || value === '' ? '0.1.0' : value
  const version = VERSIONS.find((known) => known === text)
  if (!version) {
    throw new CniError(
      CODE.incompatibleVersion,
      `Cannot speak cniVersion "${text}": known are ${VERSIONS.join(', ')}`,
    )
  }
  const since = SINCE[verb]
  if (since && !atLeast(version, since)) {
    throw new CniError(
      CODE.incompatibleVersion,
      `Cannot run ${verb}: cniVersion ${version} does not have it, ${since} does`,
    )
  }
  return version
}

function checkContainerId(containerId: string): void {
  if (NAME.test(containerId)) return
  throw new CniError(
    CODE.environment,
    `Cannot use CNI_CONTAINERID "${containerId}": only letters, digits, "_", "." and "-"`,
  )
}

/** The kernel's rules for interface names, plus the ":" that old tools take for an alias. */
function checkIfName(ifName: string): void {
  const bytes = Buffer.byteLength(ifName)
  const ok = bytes <= 15 && ifName !== '.' && ifName !== '..' && !/[/:\s]/.test(ifName)
  if (ok) return
  throw new CniError(
    CODE.environment,
    `Cannot use CNI_IFNAME "${ifName}": needs 1 to 15 bytes without "/", ":" and spaces`,
  )
}
