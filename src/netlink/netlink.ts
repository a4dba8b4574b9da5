// One rtnetlink socket, in the caller's network namespace or in another that is named by a path.
// A call sends many requests at once; the kernel answers each, and a failed one stops no other.
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { check } from '../libbpf/errors.ts'
import type { Library } from '../libbpf/library.ts'
import { viewOf } from '../libbpf/records.ts'
import { NetlinkError, parseAcknowledgement } from './errors.ts'
import type { Request } from './message.ts'
import { MESSAGE_TYPES, type Message, parseMessages } from './parse.ts'

// Requests of one native call: their acknowledgements must fit the socket's receive buffer.
const MOST_REQUESTS = 256
const ROOM = 512 * 1024
// One for all sockets: a call is synchronous, and what it read is copied out at once.
const room = new Uint8Array(ROOM)
const DUMP_INTERRUPTED = 0x10
const DUMP_ATTEMPTS = 10

export interface Answer {
  readonly error: NetlinkError | undefined
  /** Messages beside the acknowledgement: what a GET request found. */
  readonly replies: readonly Message[]
}

export class Netlink {
  readonly library: Library
  readonly #fd: number
  readonly #place: string
  #sequence = 0

  private constructor(library: Library, fd: number, place: string) {
    this.library = library
    this.#fd = fd
    this.#place = place
  }

  /** With a path ("/run/netns/x", "/proc/5/ns/net") the socket lives in that namespace. */
  static open(library: Library, netnsPath?: string): Netlink {
    const place = netnsPath === undefined ? 'netlink socket' : `netlink socket in ${netnsPath}`
    const fd = check(library.native.weir_netlink_open(netnsPath ?? null), 'open', place)
    return new Netlink(library, fd, place)
  }

  /** The same for questions about sockets (sock_diag). */
  static openSockets(library: Library, netnsPath?: string): Netlink {
    const place = `socket diagnosis in ${netnsPath ?? 'this namespace'}`
    const fd = check(library.native.weir_sock_diag_open(netnsPath ?? null), 'open', place)
    return new Netlink(library, fd, place)
  }

  /** Sends all, in one native call (per 256 requests). Answers each one's error, in order. */
  transact(requests: readonly Request[]): (NetlinkError | undefined)[] {
    return this.ask(requests).map(({ error }) => error)
  }

  /** Sends all; throws the first error, after all were tried. */
  run(...requests: readonly Request[]): void {
    const error = this.transact(requests).find((each) => each !== undefined)
    if (error !== undefined) throw error
  }

  /** Sends all, as transact() does; answers errors and what was found. */
  ask(requests: readonly Request[]): Answer[] {
    const answers: Answer[] = []
    for (let at = 0; at < requests.length; at += MOST_REQUESTS) {
      answers.push(...this.#exchange(requests.slice(at, at + MOST_REQUESTS)))
    }
    return answers
  }

  #exchange(requests: readonly Request[]): Answer[] {
    const first = this.#sequence + 1
    const errors = new Map<number, NetlinkError | undefined>()
    const replies: Message[][] = requests.map(() => [])
    let sent: Uint8Array | undefined = this.#number(requests)
    while (errors.size < requests.length) {
      for (const message of this.#receive(sent)) {
        const index = message.sequence - first
        const request = requests[index]
        if (request === undefined) continue
        if (message.type !== MESSAGE_TYPES.error) replies[index]?.push(message)
        else errors.set(index, parseAcknowledgement(request, message))
      }
      sent = undefined
    }
    return requests.map((_, i) => ({ error: errors.get(i), replies: replies[i] ?? [] }))
  }

  /** Everything a dump request lists, taken anew when it changed underway. */
  dump(request: Request): Message[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const { messages, isWhole } = this.#dumpOnce(request)
      if (isWhole) return messages
    }
    throw new NetlinkError(request, constants.errno.EINTR, 'it kept changing meanwhile')
  }

  #dumpOnce(request: Request): { messages: Message[]; isWhole: boolean } {
    const messages: Message[] = []
    let isWhole = true
    let sent: Uint8Array | undefined = this.#number([request])
    for (;;) {
      for (const message of this.#receive(sent)) {
        if (message.sequence !== this.#sequence) continue
        if ((message.flags & DUMP_INTERRUPTED) !== 0) isWhole = false
        if (message.type === MESSAGE_TYPES.done || message.type === MESSAGE_TYPES.error) {
          const error = parseAcknowledgement(request, message)
          if (error !== undefined) throw error
          return { messages, isWhole }
        }
        messages.push(message)
      }
      sent = undefined
    }
  }

  /** One native call; the messages are copies. Throws when the kernel has nothing to say. */
  #receive(requests: Uint8Array | undefined): Message[] {
    const { native } = this.library
    const size = requests?.length ?? 0
    const answer = native.weir_netlink_exchange(this.#fd, requests ?? null, size, room, ROOM)
    const got = check(answer, 'use', this.#place)
    if (got === 0) throw new Error(`Cannot use ${this.#place}: the kernel did not answer`)
    return parseMessages(room.slice(0, got))
  }

  /** The requests one after another, with the next sequence numbers. */
  #number(requests: readonly Request[]): Uint8Array {
    const bytes = Buffer.concat(requests.map((each) => each.bytes))
    const view = viewOf(bytes)
    for (let at = 0; at < bytes.length; at += view.getUint32(at, true)) {
      this.#sequence = (this.#sequence + 1) >>> 0
      view.setUint32(at + 8, this.#sequence, true)
    }
    return bytes
  }

  close(): void {
    closeSync(this.#fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
