// A CNI call as it arrives over the agent's socket: POST /v1/cni, variables as headers
// ("X-Cni-Ifname" is CNI_IFNAME, X-Cni-Netns-Override is CNI_NETNS_OVERRIDE), standard input as
// the body.
import type { IncomingHttpHeaders } from 'node:http'
import type { CniCall } from './request.ts'

/**
 * The call in a request's headers and body. Header bytes are UTF-8, which node hands over as
 * latin1.
 */
export function cniCallFromHttp(headers: IncomingHttpHeaders, body: string): CniCall {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('x-cni-') || typeof value !== 'string') continue
    const variable = name.slice('x-'.length).toUpperCase().replaceAll('-', '_')
    env[variable] = Buffer.from(value, 'latin1').toString('utf8')
  }
  return { env, stdin: body }
}
