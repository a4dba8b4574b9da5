// Table healthChecks to listening sockets: operations of a reconciler, so that a port that somebody
// else has is a row in error, named, and tried again.
import { createServer, type RequestListener, type Server } from 'node:http'
import { type Failures, NO_FAILURES, type Operations } from '../state/reconciler.ts'
import type { HealthCheck } from '../tables/desired.ts'

interface Open {
  readonly row: HealthCheck
  readonly servers: readonly Server[]
}

/** Nobody needs more of it; a load balancer asks every few seconds. */
const MAX_CONNECTIONS = 256
const REQUEST_TIMEOUT_MS = 10_000

export class HealthListeners implements Operations<HealthCheck> {
  readonly #listenerOf: (row: HealthCheck) => RequestListener
  readonly #open = new Map<number, Open>()

  constructor(listenerOf: (row: HealthCheck) => RequestListener) {
    this.#listenerOf = listenerOf
  }

  async update(rows: readonly HealthCheck[]): Promise<Failures> {
    const failures = new Map<string, Error>()
    for (const row of rows) {
      const before = this.#open.get(row.port)
      if (before && isSame(before.row, row)) continue
      await this.#close(row.port)
      try {
        this.#open.set(row.port, { row, servers: await this.#listen(row) })
      } catch (error) {
        failures.set(String(row.port), error as Error)
      }
    }
    return failures
  }

  async delete(rows: readonly HealthCheck[]): Promise<Failures> {
    for (const { port } of rows) await this.#close(port)
    return NO_FAILURES
  }

  /** Closes every port. */
  async stop(): Promise<void> {
    for (const port of [...this.#open.keys()]) await this.#close(port)
  }

  /** On all its addresses, or on none. */
  async #listen(row: HealthCheck): Promise<Server[]> {
    const servers: Server[] = []
    try {
      for (const address of row.addresses) servers.push(await this.#listenOn(row, address))
      return servers
    } catch (error) {
      for (const server of servers) await close(server)
      throw error
    }
  }

  async #listenOn(row: HealthCheck, address: string): Promise<Server> {
    const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, this.#listenerOf(row))
    server.maxConnections = MAX_CONNECTIONS
    try {
      await listen(server, address, row.port)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // A kernel without IPv6 has no "::".
      if (code === 'EAFNOSUPPORT' && address === '::') return this.#listenOn(row, '0.0.0.0')
      const whose = row.service === undefined ? 'the health of this node' : `Service ${row.service}`
      const state = code === 'EADDRINUSE' ? 'another process has the port' : code
      throw new Error(`Cannot listen on ${address} port ${row.port} for ${whose}: ${state}`, {
        cause: error,
      })
    }
    server.on('error', () => {})
    return server
  }

  async #close(port: number): Promise<void> {
    for (const server of this.#open.get(port)?.servers ?? []) await close(server)
    this.#open.delete(port)
  }
}

function isSame(a: HealthCheck, b: HealthCheck): boolean {
  return a.service === b.service && String(a.addresses) === String(b.addresses)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
