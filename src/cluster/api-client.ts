// Requests to the cluster's API server as its administrator, over one kept connection: for what
// asks too often for kubectl.
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { clusterPaths } from './paths.ts'
import { API_SERVER } from './spec.ts'

export interface ApiClient {
  /** The object of the answer. Throws with the status and what the server said. */
  readonly get: <T>(path: string) => Promise<T>
  readonly patch: (path: string, change: object) => Promise<void>
  readonly close: () => void
}

const TIMEOUT_MS = 10_000

export function apiClient(pki = clusterPaths().pki): ApiClient {
  const read = (name: string): string => readFileSync(join(pki, name), 'utf8')
  const identity = { ca: read('ca.crt'), cert: read('admin.crt'), key: read('admin.key') }
  const agent = new Agent({ ...identity, keepAlive: true, maxSockets: 4 })
  return {
    get: async <T>(path: string) => JSON.parse(await ask(agent, 'GET', path)) as T,
    patch: async (path, change) => {
      await ask(agent, 'PATCH', path, JSON.stringify(change))
    },
    close: () => agent.destroy(),
  }
}

function ask(agent: Agent, method: string, path: string, body?: string): Promise<string> {
  const headers = body === undefined ? {} : { 'content-type': 'application/merge-patch+json' }
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  return new Promise((resolve, reject) => {
    const fail = (state: string, cause?: unknown) => {
      reject(new Error(`Cannot ${method} ${path}: ${state}`, { cause }))
    }
    const asked = request(`${API_SERVER}${path}`, { agent, method, headers, signal }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('error', (cause) => fail(cause.message, cause))
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString()
        if (answer.statusCode === 200) resolve(text)
        else fail(`${answer.statusCode} ${text.slice(0, 200)}`)
      })
    })
    asked.on('error', (cause) => fail(cause.message, cause))
    asked.end(body)
  })
}
