// Requests to the API server, answers as streams. It knows several addresses and stays with the one
// that answers; it reads credentials again and again, because tokens and certificates rotate; it
// never waits without end. It does not retry: that is the loop's.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Access, AccessReader } from './access.ts'
import type { Encoding } from './decoder.ts'
import { ResponseError, SilentError } from './errors.ts'
import { decodeMessage, openEnvelope } from './protobuf.ts'
import type { Timings } from './timings.ts'

export interface Ask {
  /** "watch pods", for messages. */
  readonly what: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly encoding: Encoding
  readonly isWatch: boolean
  /** Longest time without a byte, ms. */
  readonly silenceMs: number
  readonly signal: AbortSignal
}

export interface Answer {
  readonly encoding: Encoding
  /** Throws when the connection is lost, and SilentError when it is silent. */
  readonly body: AsyncIterable<Buffer>
  /** From now on it may be silent for so long. */
  allowSilence(silenceMs: number): void
  /** For an answer whose body is not read to its end. */
  close(): void
}

/** An object that the server is to make. */
export interface Creation extends Pick<Ask, 'what' | 'path' | 'signal'> {
  readonly object: object
}

interface Sending {
  readonly access: Access
  readonly server: string
  /** Of a POST; absent: a GET. */
  readonly body: string | undefined
}

const ACCEPT: Readonly<Record<'list' | 'watch', Readonly<Record<Encoding, string>>>> = {
  list: {
    protobuf: 'application/vnd.kubernetes.protobuf, application/json;q=0.5',
    json: 'application/json',
  },
  watch: {
    protobuf:
      'application/vnd.kubernetes.protobuf;stream=watch, application/json;stream=watch;q=0.5',
    json: 'application/json;stream=watch, application/json;q=0.5',
  },
}
/** After this long without traffic the kernel asks whether the other side is still there. */
const KEEP_ALIVE_MS = 15_000
const MAX_ERROR_BYTES = 1 << 16
/** Answers after which another address may do better. */
const AWAY = [502, 503, 504]

export class Connection {
  readonly #reader: AccessReader
  readonly #timings: Timings
  #access: { value: Access; readAt: number } | undefined
  #reading: Promise<Access> | undefined
  #agent: { key: string; agent: HttpAgent | HttpsAgent } | undefined
  /** Which of the addresses is in use. */
  #turn = 0

  constructor(reader: AccessReader, timings: Timings) {
    this.#reader = reader
    this.#timings = timings
  }

  /** "https://10.0.0.1:6443, from --api-server"; what is missing when none is known. */
  get location(): string {
    const value = this.#access?.value
    return value ? `${this.#serverOf(value)}, from ${value.how}` : 'not found yet'
  }

  /** Host of the address in use: "10.0.0.1". */
  get host(): string | undefined {
    const value = this.#access?.value
    if (!value || !URL.canParse(this.#serverOf(value))) return undefined
    return new URL(this.#serverOf(value)).hostname.replace(/^\[|\]$/g, '')
  }

  /** Reads credentials anew before the next request: the server did not take these. */
  forgetCredentials(): void {
    this.#access = undefined
    this.#reader.forget()
  }

  close(): void {
    this.#agent?.agent.destroy()
    this.#agent = undefined
  }

  /** Resolves with a success. Throws ResponseError for an answer that is none. */
  async get(ask: Ask): Promise<Answer> {
    const response = await this.#request(ask)
    return readAnswer(response, encodingOf(response), ask)
  }

  /** Resolves once the object is made. Throws as get() does. */
  async create({ object, ...ask }: Creation): Promise<void> {
    const { answerMs: silenceMs } = this.#timings
    const asked = { ...ask, query: {}, encoding: 'json', isWatch: false, silenceMs } as const
    const response = await this.#request(asked, JSON.stringify(object))
    response.destroy()
  }

  async #request(ask: Ask, body?: string): Promise<IncomingMessage> {
    const access = await this.#currentAccess()
    const server = this.#serverOf(access)
    let response: IncomingMessage
    try {
      response = await this.#send(ask, { access, server, body })
    } catch (error) {
      if (!ask.signal.aborted) this.#leave(access, server)
      throw error
    }
    const status = response.statusCode ?? 0
    if (status === (body === undefined ? 200 : 201)) return response
    if (AWAY.includes(status)) this.#leave(access, server)
    throw await readError(response, encodingOf(response), ask)
  }

  async #currentAccess(): Promise<Access> {
    const known = this.#access
    if (known && performance.now() - known.readAt < this.#timings.rereadMs) return known.value
    this.#reading ??= this.#reader.read().finally(() => {
      this.#reading = undefined
    })
    const value = await this.#reading
    this.#access = { value, readAt: performance.now() }
    return value
  }

  #serverOf({ servers }: Access): string {
    return servers[this.#turn % servers.length] ?? ''
  }

  /** On to the next address, unless somebody else already went on. */
  #leave(access: Access, server: string): void {
    if (access.servers.length > 1 && this.#serverOf(access) === server) this.#turn++
    // Another address may be in the kubeconfig by now, or another certificate.
    if (this.#access?.value === access) this.#access = undefined
  }

  #send(ask: Ask, { access, server, body }: Sending): Promise<IncomingMessage> {
    const url = new URL(server + ask.path)
    for (const [name, value] of Object.entries(ask.query)) url.searchParams.set(name, value)
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const request = send(url, {
      method: body === undefined ? 'GET' : 'POST',
      agent: this.#agentFor(url.protocol, access),
      signal: ask.signal,
      headers: {
        accept: ACCEPT[ask.isWatch ? 'watch' : 'list'][ask.encoding],
        'user-agent': 'weir-agent',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(access.authorization === undefined ? {} : { authorization: access.authorization }),
      },
    })
    const giveUp = (what: string, ms: number) =>
      setTimeout(() => {
        request.destroy(new Error(`Cannot ${ask.what}: ${server} ${what} within ${ms / 1000} s`))
      }, ms)
    const { connectMs, answerMs } = this.#timings
    const connecting = giveUp('took no connection', connectMs)
    const answering = giveUp('gave no answer', answerMs)
    request.on('socket', (socket) => {
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
      if (!socket.connecting) clearTimeout(connecting)
      else socket.once('connect', () => clearTimeout(connecting))
    })
    request.on('response', resolve)
    request.on('error', reject)
    request.on('close', () => clearTimeout(answering))
    request.end(body)
    return promise.finally(() => {
      clearTimeout(connecting)
      clearTimeout(answering)
    })
  }

  /** One agent for as long as the TLS settings are the same. */
  #agentFor(protocol: string, { tls }: Access): HttpAgent | HttpsAgent {
    const key = JSON.stringify([protocol, tls])
    if (this.#agent?.key !== key) {
      // Watches that run go on over their own connections; idle ones are of no use any more.
      for (const idle of Object.values(this.#agent?.agent.freeSockets ?? {})) {
        for (const socket of idle ?? []) socket.destroy()
      }
      const options = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS }
      const agent =
        protocol === 'https:' ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options)
      this.#agent = { key, agent }
    }
    return this.#agent.agent
  }
}

function encodingOf(response: IncomingMessage): Encoding {
  const type = response.headers['content-type'] ?? ''
  return type.startsWith('application/vnd.kubernetes.protobuf') ? 'protobuf' : 'json'
}

function readAnswer(response: IncomingMessage, encoding: Encoding, ask: Ask): Answer {
  let { silenceMs } = ask
  let silent: NodeJS.Timeout | undefined
  const listen = () => {
    clearTimeout(silent)
    silent = setTimeout(() => {
      const fault = `Cannot ${ask.what}: the server was silent for ${silenceMs / 1000} s`
      response.destroy(new SilentError(fault))
    }, silenceMs)
  }
  async function* read(): AsyncGenerator<Buffer> {
    listen()
    try {
      for await (const chunk of response) {
        listen()
        yield chunk as Buffer
      }
    } finally {
      clearTimeout(silent)
      response.destroy()
    }
  }
  return {
    encoding,
    body: read(),
    allowSilence: (ms) => {
      silenceMs = ms
      if (silent) listen()
    },
    close: () => response.destroy(),
  }
}

/** The Status that an API server puts into an answer which is no success. */
async function readError(
  response: IncomingMessage,
  encoding: Encoding,
  ask: Ask,
): Promise<ResponseError> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of readAnswer(response, encoding, ask).body) {
    parts.push(part)
    sizeBytes += part.length
    if (sizeBytes > MAX_ERROR_BYTES) break
  }
  const text = Buffer.concat(parts)
  const { message, details } = readStatus(text, encoding)
  const header = Number(response.headers['retry-after'])
  const seconds = header > 0 ? header : Number(details?.retryAfterSeconds ?? 0)
  return new ResponseError(
    ask.what,
    response.statusCode ?? 0,
    typeof message === 'string' ? message : text.toString('utf8', 0, 200).trim(),
    seconds > 0 ? seconds * 1000 : undefined,
  )
}

interface Status {
  readonly message?: unknown
  readonly details?: { readonly retryAfterSeconds?: number }
}

function readStatus(text: Buffer, encoding: Encoding): Status {
  try {
    if (encoding === 'protobuf') return decodeMessage('Status', openEnvelope(text).raw)
    return (JSON.parse(text.toString()) ?? {}) as Status
  } catch {
    // A proxy's page, or half an answer: the caller shows its beginning.
    return {}
  }
}
