// GC's list: which of our attachments does the runtime not know any more? Pure.
import type { Endpoint } from '../tables/intent.ts'
import { endpointKey } from '../tables/tables.ts'
import { CniError, CODE } from './error.ts'
import { asArray, asObject, type JsonObject } from './json.ts'

/** The specification's key, and the one that its first text said by mistake; libcni sends both. */
const KEYS = ['cni.dev/valid-attachments', 'cni.dev/attachments']

/**
 * Keys of the network's endpoints that neither list names. Throws code 7 without any list:
 * a list that got lost on the way must not cost every pod its network.
 */
export function invalidAttachments(
  config: JsonObject,
  network: string,
  endpoints: Iterable<Endpoint>,
): string[] {
  const present = KEYS.filter((key) => config[key] !== undefined)
  if (present.length === 0) {
    throw new CniError(CODE.config, `Cannot collect garbage: the configuration has no ${KEYS[0]}`)
  }
  const valid = new Set(present.flatMap((key) => parseList(key, config[key])))
  return [...endpoints]
    .filter((endpoint) => endpoint.network === network)
    .map(endpointKey)
    .filter((key) => !valid.has(key))
}

function parseList(key: string, value: unknown): string[] {
  const list = asArray(value)
  if (!list) throw new CniError(CODE.config, `Cannot collect garbage: ${key} is no list`)
  return list.map((item) => {
    const { containerID: containerId, ifname: ifName } = asObject(item) ?? {}
    if (typeof containerId === 'string' && typeof ifName === 'string') {
      return endpointKey({ containerId, ifName })
    }
    const text = `${JSON.stringify(item)} has no containerID and ifname`
    throw new CniError(CODE.config, `Cannot collect garbage: ${key}: ${text}`)
  })
}
