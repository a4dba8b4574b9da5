// The agent's API: plain HTTP on a unix socket that only root can open. weir-cni and the CLI are
// its clients; a bad request is answered with one sentence in {"error": ...}.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { answerCni } from './cni-route.ts'
import { toJson } from './json.ts'
import { streamEvents } from './monitor.ts'
import { CNI_PATH, findPage, MONITOR_PATH, RequestError, VERDICTS_PATH } from './routes.ts'
import { listenOnSocket } from './socket.ts'
import type { ApiSources } from './sources.ts'

export class ApiServer {
  readonly #server: Server
  readonly #sources: ApiSources
  /** Monitor streams, which only end when somebody ends them. */
  readonly #streams = new Set<ServerResponse>()

  private constructor(sources: ApiSources) {
    this.#sources = sources
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => this.#fail(response, error))
    })
  }

  /** Listens on the socket; a stale one is replaced. Throws when another agent answers on it. */
  static async listen(socketPath: string, sources: ApiSources): Promise<ApiServer> {
    const api = new ApiServer(sources)
    await listenOnSocket(api.#server, socketPath)
    return api
  }

  /** Ends open streams and removes the socket; requests being answered are finished. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeIdleConnections()
      for (const stream of this.#streams) stream.end()
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const method = request.method ?? 'GET'
    if (path === CNI_PATH && method === 'POST') {
      return answerCni(request, response, this.#sources)
    }
    if (path === CNI_PATH) {
      throw new RequestError(405, `Cannot ${method} ${path}: CNI calls are sent with POST`)
    }
    if ([MONITOR_PATH, VERDICTS_PATH].includes(path) && method === 'GET') {
      this.#streams.add(response)
      response.once('close', () => this.#streams.delete(response))
      return streamEvents(response, this.#sources, { verdicts: path === VERDICTS_PATH })
    }
    const value = await findPage(method, path)(this.#sources)
    send(response, 200, value)
  }

  #fail(response: ServerResponse, error: unknown): void {
    const status = error instanceof RequestError ? error.status : 500
    if (status === 500) this.#sources.log.error({ err: error }, 'API request failed')
    if (response.headersSent) response.destroy()
    else send(response, status, { error: (error as Error).message })
  }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${toJson(value)}\n`)
}
