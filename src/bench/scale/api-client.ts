// Requests to the bench's API server, many at a time over connections that stay.
import { Agent, request } from 'node:https'
import { readKubeconfig, type TlsSettings } from '../../kube/watch/kubeconfig.ts'

export interface ApiClient {
  /** The parsed answer. Throws with the server's message for every status but 2xx. */
  readonly ask: (method: string, path: string, body?: object) => Promise<Record<string, unknown>>
  readonly server: string
  readonly tls: TlsSettings
  close(): void
}

const SOCKETS = 48

export async function openApiClient(kubeconfig: string): Promise<ApiClient> {
  const { server, tls } = await readKubeconfig(kubeconfig)
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS, ...tls })
  const ask: ApiClient['ask'] = (method, path, body) => {
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>()
    const text = body === undefined ? undefined : JSON.stringify(body)
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const headers = { 'content-type': type, accept: 'application/json' }
    const asking = request(`${server}${path}`, { method, agent, headers }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('error', reject)
      answer.on('end', () => {
        const object = parseAnswer(Buffer.concat(parts).toString())
        const status = answer.statusCode ?? 0
        if (status >= 200 && status < 300) resolve(object)
        else reject(new Error(`Cannot ${method} ${path}: ${status} ${String(object['message'])}`))
      })
    })
    asking.on('error', (error: NodeJS.ErrnoException) => {
      // The server may close a connection that rested in the moment in which it is used again.
      if (!asking.reusedSocket || error.code !== 'ECONNRESET') reject(error)
      else ask(method, path, body).then(resolve, reject)
    })
    asking.end(text)
    return promise
  }
  return { ask, server, tls, close: () => agent.destroy() }
}

function parseAnswer(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return { message: text.slice(0, 200) }
  }
}

/** Works through the items, so many at a time. Rejects with the first failure. */
export async function inParallel<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<unknown>,
  lanes = SOCKETS,
): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const index = next++
      await work(items[index] as T, index)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
