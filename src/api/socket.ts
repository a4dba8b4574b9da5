// The agent's unix socket: mode 0600 from its first moment, and never taken from a living agent.
import { mkdirSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'

/** Listens on `path`, replacing a socket that nobody answers on. Throws when somebody does. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (await answers(path)) {
    throw new Error(`Cannot listen on ${path}: another agent answers there`)
  }
  rmSync(path, { force: true })
  await listen(server, path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    // ENOENT: no socket. ECONNREFUSED: its agent is dead. ENOTSOCK: not ours, but in our place.
    probe.once('error', () => resolve(false))
  })
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new Error(`Cannot listen on ${path}: ${error.code}`, { cause: error }))
    })
    // bind() runs inside listen(), so the umask covers it and a chmod would come too late.
    const before = process.umask(0o177)
    try {
      server.listen(path, resolve)
    } finally {
      process.umask(before)
    }
  })
}
