// An API server without TLS and, when asked, without protobuf: a proxy that answers 406 to it, as
// servers of other make do.
import { createServer, type Server } from 'node:http'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ApiClient } from './api-client.ts'

export interface JsonProxy {
  readonly url: string
  close(): void
}

export async function startProxy(
  { server, tls }: ApiClient,
  host: string,
  { refusesProtobuf }: { refusesProtobuf: boolean },
): Promise<JsonProxy> {
  const agent = new Agent({ keepAlive: true, ...tls })
  const proxy: Server = createServer((ask, answer) => {
    if (refusesProtobuf && ask.headers.accept?.includes('protobuf')) {
      answer.writeHead(406, { 'content-type': 'text/plain' }).end('only JSON is served')
      return
    }
    const { method = 'GET', url = '/' } = ask
    const headers = { accept: ask.headers.accept ?? '*/*' }
    const asking = request(`${server}${url}`, { method, agent, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers)
      answer.flushHeaders()
      from.pipe(answer)
      from.on('error', () => answer.destroy())
    })
    asking.on('error', () => answer.destroy())
    answer.on('close', () => asking.destroy())
    ask.pipe(asking)
  })
  await new Promise<void>((resolve) => proxy.listen(0, host, resolve))
  const { port } = proxy.address() as AddressInfo
  return {
    url: `http://${host}:${port}`,
    close: () => {
      proxy.closeAllConnections()
      proxy.close()
      agent.destroy()
    },
  }
}
