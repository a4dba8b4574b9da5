// An API server over real HTTP or TLS on loopback that serves a ClusterState and misbehaves when
// told to: by `failNext` for the next request of a sort, by `fault` for every one, by `mischief`
// for every event.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { json } from 'node:stream/consumers'
import { type ApiObject, ClusterState, type StoredEvent } from './cluster-state.ts'
import { type Fault, type Mischief, OpenStream, send } from './streams.ts'
import { CONTENT_TYPE, type Encoding, encodeEvent, encodeList, encodeStatus } from './wire.ts'

export type Verb = 'list' | 'watch' | 'look' | 'create'

export interface AskedFor {
  readonly verb: Verb
  readonly plural: string
  readonly query: URLSearchParams
  readonly encoding: Encoding
  readonly authorization: string | undefined
}

/**
 * Whether a watch may begin with a list: yes, refused with 422, refused by an event (an etcd that
 * is too old), or not understood, so that nothing ends the first events.
 */
export type WatchList = boolean | 'late' | 'ignored'

export interface ServerOptions {
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly encodings?: readonly Encoding[]
  readonly watchList?: WatchList
  /** Without it, requests are refused with 401. */
  readonly token?: string
  readonly port?: number
}

export class FakeApiServer implements AsyncDisposable {
  state = new ClusterState()
  encodings: readonly Encoding[]
  watchList: WatchList
  token: string | undefined
  fault: ((request: AskedFor) => Fault | undefined) | undefined
  mischief: Mischief | undefined
  /** Called before an object is written: what it gives back is sent in its place. */
  distort: (object: ApiObject) => object = (object) => object
  pageSize = 500
  /** A version that is too old is refused with 410, and not by an event. */
  refusesTooOld = false
  readonly requests: AskedFor[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #streams = new Set<OpenStream>()
  readonly #planned: { verb: Verb; plural: string; fault: Fault }[] = []
  readonly #pages = new Map<string, { items: readonly ApiObject[]; revision: number }>()
  #tokens = 0
  readonly #scheme: string

  private constructor({ tls, encodings, watchList, token }: ServerOptions) {
    this.encodings = encodings ?? ['protobuf', 'json']
    this.watchList = watchList ?? true
    this.token = token
    this.#scheme = tls ? 'https' : 'http'
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      this.#handle(request, response)
    this.#server = tls ? createTlsServer({ ...tls }, handle) : createServer(handle)
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
  }

  static async listen(options: ServerOptions = {}): Promise<FakeApiServer> {
    const server = new FakeApiServer(options)
    await server.open(options.port ?? 0)
    return server
  }

  /** Listens, also again after close(), on the port that it had. */
  async open(port = this.port): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, '127.0.0.1', () => resolve())
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async close(): Promise<void> {
    this.#port = this.port
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.dropConnections()
    await closed
  }

  #port = 0
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? this.#port
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`
  }

  /** Resets every connection. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Ends every watch as a server that stops: cleanly. */
  endWatches(): void {
    for (const stream of this.#streams) stream.end()
  }

  /** Writes raw bytes into every watch. */
  writeToWatches(plural: string, bytes: (encoding: Encoding) => Buffer | string): void {
    for (const stream of this.#streams) {
      if (stream.plural === plural) stream.write(Buffer.from(bytes(stream.encoding)))
    }
  }

  sendBookmarks(): void {
    for (const stream of this.#streams) this.#send(stream, this.#bookmark(stream))
  }

  failNext(verb: Verb, plural: string, fault: Fault): void {
    this.#planned.push({ verb, plural, fault })
  }

  /** Kinds with a watch that is open now. */
  watched(): string[] {
    return [...this.#streams].map(({ plural }) => plural)
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://server')
    const plural = url.pathname.slice(url.pathname.lastIndexOf('/') + 1)
    const query = url.searchParams
    const reads = query.has('watch') ? 'watch' : query.has('fieldSelector') ? 'look' : 'list'
    const verb = request.method === 'POST' ? 'create' : reads
    const accepted = String(request.headers.accept)
    const encoding = this.encodings.find((each) => accepted.includes(CONTENT_TYPE[each]))
    const { authorization } = request.headers
    const asked = { verb, plural, query, encoding: encoding ?? 'json', authorization } as const
    this.requests.push(asked)
    const fault = this.#faultFor(asked)
    if (fault?.kind === 'silent') return
    if (fault?.kind === 'reset') response.socket?.resetAndDestroy()
    else if (fault?.kind === 'garbage') response.end('<html>502 Bad Gateway</html>\n')
    else if (fault?.kind === 'status') this.#refuse(response, asked, fault.status, fault.retryAfter)
    else if (this.token !== undefined && authorization !== `Bearer ${this.token}`) {
      this.#refuse(response, asked, 401)
    } else if (!encoding) this.#refuse(response, asked, 406)
    else if (verb === 'create') this.#create(request, response, asked).catch(() => {})
    else if (verb === 'watch') this.#watch(response, asked, fault)
    else this.#list(response, asked, fault)
  }

  #faultFor(asked: AskedFor): Fault | undefined {
    const at = this.#planned.findIndex(({ verb, plural }) => {
      return verb === asked.verb && (plural === asked.plural || plural === '*')
    })
    return at >= 0 ? this.#planned.splice(at, 1)[0]?.fault : this.fault?.(asked)
  }

  #refuse(
    response: ServerResponse,
    { encoding }: AskedFor,
    status: number,
    retryAfter?: number,
  ): void {
    if (retryAfter !== undefined) response.setHeader('retry-after', String(retryAfter))
    response.writeHead(status, { 'content-type': CONTENT_TYPE[encoding] })
    response.end(encodeStatus(encoding, status, `refused with ${status}`))
  }

  async #create(request: IncomingMessage, response: ServerResponse, asked: AskedFor) {
    const object = (await json(request)) as ApiObject
    const { name, namespace } = object.metadata
    const isKnown = this.state.keys(asked.plural).includes(`${namespace}/${name}`)
    if (isKnown) this.#refuse(response, asked, 409)
    else {
      this.state.put(asked.plural, object)
      response.writeHead(201, { 'content-type': CONTENT_TYPE.json }).end(JSON.stringify(object))
    }
  }

  #list(response: ServerResponse, asked: AskedFor, fault: Fault | undefined): void {
    const { query, plural, encoding, verb } = asked
    const token = query.get('continue')
    const page = token === null ? this.#snapshot(plural) : this.#pages.get(token)
    if (!page || page.revision < this.state.compactedAt) {
      this.#refuse(response, asked, 410)
      return
    }
    const limit = Math.min(this.pageSize, Number(query.get('limit') ?? this.pageSize))
    const items = verb === 'look' ? page.items.filter(isKubeSystem) : page.items.slice(0, limit)
    const rest = verb === 'look' ? [] : page.items.slice(limit)
    const next = rest.length > 0 ? `page-${++this.#tokens}` : undefined
    if (next) this.#pages.set(next, { ...page, items: rest })
    const metadata = { resourceVersion: String(page.revision), ...(next ? { continue: next } : {}) }
    const sent = items.map((item) => (verb === 'look' ? item : this.distort(item)))
    response.writeHead(200, { 'content-type': CONTENT_TYPE[encoding] })
    send(response, encodeList(encoding, plural, { items: sent, metadata }), fault)
  }

  #snapshot(plural: string): { items: readonly ApiObject[]; revision: number } {
    return { items: this.state.list(plural), revision: this.state.revision }
  }

  #watch(response: ServerResponse, asked: AskedFor, fault: Fault | undefined): void {
    const { query, plural, encoding } = asked
    const isList = query.get('sendInitialEvents') === 'true'
    if (isList && !this.watchList) {
      this.#refuse(response, asked, 422)
      return
    }
    const from = isList ? this.state.revision : Number(query.get('resourceVersion'))
    const state = this.state
    if (!isList && this.refusesTooOld && from < state.compactedAt) {
      this.#refuse(response, asked, 410)
      return
    }
    response.writeHead(200, { 'content-type': `${CONTENT_TYPE[encoding]};stream=watch` })
    response.flushHeaders()
    const stream = new OpenStream(plural, encoding, response)
    if (!isList && from < state.compactedAt) {
      const object = { code: 410, message: 'too old resource version' }
      response.end(encodeEvent(encoding, plural, { type: 'ERROR', object }))
      return
    }
    if (isList && this.watchList === 'late') {
      const object = { code: 500, message: 'etcd cannot tell how far it is' }
      response.end(encodeEvent(encoding, plural, { type: 'ERROR', object }))
      return
    }
    const beginning = isList ? this.#initialEvents(stream) : Buffer.alloc(0)
    if (fault) {
      send(response, Buffer.concat([beginning, this.#history(stream, from)]), fault)
      return
    }
    response.write(beginning)
    for (const event of state.history) if (event.revision > from) this.#sendEvent(stream, event)
    stream.unsubscribe = state.subscribe((event) => this.#sendEvent(stream, event))
    this.#streams.add(stream)
    response.on('close', () => {
      stream.unsubscribe()
      this.#streams.delete(stream)
    })
  }

  #initialEvents(stream: OpenStream): Buffer {
    const { plural, encoding } = stream
    const items = this.state.list(plural).map((item) => this.distort(item))
    const events = items.map((object) => encodeEvent(encoding, plural, { type: 'ADDED', object }))
    return Buffer.concat(
      this.watchList === 'ignored' ? events : [...events, this.#bookmark(stream, true)],
    )
  }

  /** What a watch from this version has missed. */
  #history({ plural, encoding }: OpenStream, from: number): Buffer {
    const missed = this.state.history.filter((each) => each.plural === plural)
    const events = missed.filter(({ revision }) => revision > from)
    return Buffer.concat(
      events.map(({ type, object }) =>
        encodeEvent(encoding, plural, { type, object: this.distort(object) }),
      ),
    )
  }

  #sendEvent(stream: OpenStream, { plural, type, object }: StoredEvent): void {
    if (plural !== stream.plural) return
    const sent = { type, object: this.distort(object) }
    this.#send(stream, encodeEvent(stream.encoding, plural, sent))
  }

  #send(stream: OpenStream, bytes: Buffer): void {
    if (this.mischief) this.mischief(stream, bytes)
    else stream.write(bytes)
  }

  #bookmark({ encoding, plural }: OpenStream, isEnd = false): Buffer {
    const annotations = isEnd ? { 'k8s.io/initial-events-end': 'true' } : {}
    const metadata = { resourceVersion: String(this.state.revision), annotations }
    return encodeEvent(encoding, plural, { type: 'BOOKMARK', object: { metadata } })
  }
}

function isKubeSystem({ metadata }: ApiObject): boolean {
  return metadata.name === 'kube-system'
}
