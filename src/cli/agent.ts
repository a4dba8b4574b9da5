// The client of the agent's API.
import { type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'

/** GET, answered as JSON. Throws one sentence when the agent is away or refuses. */
export async function readAgent<T>(socket: string, path: string): Promise<T> {
  const response = await open(socket, path)
  const text = (await response.setEncoding('utf8').toArray()).join('')
  if (response.statusCode === 200) return JSON.parse(text) as T
  throw new Error(errorOf(text) ?? `Cannot read ${path}: the agent answered ${response.statusCode}`)
}

/** GET of a stream of JSON lines; ends when the agent does. */
export async function* streamAgent<T>(socket: string, path: string): AsyncGenerator<T> {
  const response = await open(socket, path)
  try {
    for await (const line of createInterface({ input: response })) yield JSON.parse(line) as T
  } finally {
    response.destroy()
  }
}

function open(socket: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: socket, path, agent: false }, resolve)
    sent.once('error', (error: NodeJS.ErrnoException) => {
      reject(new Error(`Cannot reach the agent: ${stateOf(error, socket)}`, { cause: error }))
    })
    sent.end()
  })
}

function stateOf({ code, message }: NodeJS.ErrnoException, socket: string): string {
  if (code === 'ENOENT') return `there is no socket ${socket}, is weir-agent running?`
  if (code === 'ECONNREFUSED') return `nobody answers on ${socket}, is weir-agent running?`
  if (code === 'EACCES') return `${socket} is for root only`
  return `${socket}: ${message}`
}

function errorOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error?: string }).error
  } catch {
    return undefined
  }
}
