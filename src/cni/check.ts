// CHECK's first half: does the result the runtime remembers still say what the row says? Pure.
// Later plugins of the list may have added interfaces and addresses of their own, so only ours are
// looked at.
import { hostPrefix } from '../net/prefix.ts'
import type { Endpoint } from '../tables/intent.ts'
import { CniError, CODE } from './error.ts'
import { asArray, asObject, asString, type JsonObject } from './json.ts'

/** Differences, one sentence each. Throws code 7 when prevResult is absent or no result. */
export function compareWithPrevious(endpoint: Endpoint, prevResult: unknown): string[] {
  const result = asObject(prevResult)
  if (!result) throw new CniError(CODE.config, 'Cannot check: the configuration has no prevResult')
  const interfaces = objects(result, 'interfaces')
  const ips = objects(result, 'ips')
  const differences: string[] = []
  const index = interfaces.findIndex(
    (item) => asString(item['sandbox']) !== '' && item['name'] === endpoint.ifName,
  )
  const inside = interfaces[index]
  if (!inside) differences.push(`prevResult has no interface ${endpoint.ifName} in a sandbox`)
  else if (asString(inside['mac']).toLowerCase() !== endpoint.mac) {
    differences.push(
      `prevResult gives ${endpoint.ifName} MAC ${inside['mac']}, not ${endpoint.mac}`,
    )
  }
  if (!interfaces.some((item) => item['name'] === endpoint.hostIfName)) {
    differences.push(`prevResult has no interface ${endpoint.hostIfName}`)
  }
  const wanted = endpoint.addresses.map(hostPrefix)
  for (const prefix of wanted) {
    if (!ips.some(({ address }) => address === prefix)) {
      differences.push(`prevResult has no address ${prefix}`)
    }
  }
  for (const { interface: owner, address } of ips) {
    if (owner === index && !wanted.some((prefix) => prefix === address)) {
      differences.push(`prevResult has address ${address}, which is not the endpoint's`)
    }
  }
  return differences
}

function objects(result: JsonObject, name: string): JsonObject[] {
  const list = asArray(result[name] ?? [])
  if (!list) throw new CniError(CODE.config, `Cannot check: prevResult.${name} is no list`)
  return list.map((item) => asObject(item) ?? {})
}
