// What the kernel says of a refused request: an errno and often a sentence (the extended ack).
import { KernelError } from '../libbpf/errors.ts'
import { viewOf } from '../libbpf/records.ts'
import type { Request } from './message.ts'
import { Attributes, MESSAGE_TYPES, type Message } from './parse.ts'

const CAPPED = 0x100
const HAS_ATTRIBUTES = 0x200
const HEADER_SIZE = 16
const ERRNO_SIZE = 4
const EXTACK_TEXT = 1

/**
 * A refused request: `code` is the errno's name, `text` the kernel's own sentence if it had one.
 */
export class NetlinkError extends KernelError {
  override readonly name = 'NetlinkError'
  readonly text: string | undefined

  constructor(request: Request, errno: number, text?: string) {
    const { operation, object } = request
    super({ errno, operation, object, ...(text !== undefined && { reason: text }) })
    this.text = text
  }
}

/** Reads an acknowledgement (NLMSG_ERROR) or the end of a dump; undefined: it went well. */
export function parseAcknowledgement(request: Request, message: Message): NetlinkError | undefined {
  const { body } = message
  if (body.length < ERRNO_SIZE) return undefined
  const errno = -viewOf(body).getInt32(0, true)
  if (errno === 0) return undefined
  return new NetlinkError(request, errno, extackText(message))
}

function extackText({ type, flags, body }: Message): string | undefined {
  if ((flags & HAS_ATTRIBUTES) === 0) return undefined
  // An acknowledgement repeats the request's header or all of it; the end of a dump does not.
  const isCapped = (flags & CAPPED) !== 0
  const repeated = isCapped ? HEADER_SIZE : viewOf(body).getUint32(ERRNO_SIZE, true)
  const skipped = type === MESSAGE_TYPES.done ? 0 : Math.ceil(repeated / 4) * 4
  return new Attributes(body, ERRNO_SIZE + skipped).text(EXTACK_TEXT)
}
