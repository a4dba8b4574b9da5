// The HTTP port for probes and Prometheus: /healthz, /livez, /metrics. Read only, no secrets,
// so it may be reached from the network, unlike the API on the unix socket.
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Health {
  readonly ok: boolean
  /** One sentence per thing that is wrong; empty when ok. */
  readonly problems: readonly string[]
}

export interface HttpSources {
  readonly metrics: { text(): Promise<string>; readonly contentType: string }
  /** May the node take pods? False until the first sync, and when the datapath is broken. */
  readonly health: () => Health | Promise<Health>
}

export interface HttpPort {
  /** Where it listens, with the port that the kernel chose when 0 was asked for. */
  readonly address: string
  readonly port: number
  close(): Promise<void>
}

/** Listens; port 0 lets the kernel choose, which is what tests do. */
export async function serveHttp(
  { host, port }: { readonly host: string; readonly port: number },
  sources: HttpSources,
): Promise<HttpPort> {
  const server = createServer((request, response) => {
    answer(request.url ?? '/', response, sources).catch((error: unknown) => {
      send(response, 500, `${(error as Error).message}\n`)
    })
  })
  await listenOn(server, host, port)
  const bound = server.address() as AddressInfo
  return {
    address: bound.address,
    port: bound.port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(url: string, response: ServerResponse, sources: HttpSources): Promise<void> {
  const path = url.split('?')[0]
  if (path === '/livez') return send(response, 200, 'ok\n')
  if (path === '/healthz') {
    const { ok, problems } = await sources.health()
    return send(response, ok ? 200 : 503, ok ? 'ok\n' : `${problems.join('\n')}\n`)
  }
  if (path === '/metrics') {
    return send(response, 200, await sources.metrics.text(), sources.metrics.contentType)
  }
  send(response, 404, 'Cannot find this page: there are /healthz, /livez and /metrics\n')
}

function send(response: ServerResponse, status: number, body: string, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type })
  response.end(body)
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new Error(`Cannot listen on ${host} port ${port}: ${error.code}`, { cause: error }))
    })
    server.listen({ host, port }, resolve)
  })
}
