// What goes out of the misbehaving server: watches that are open, and answers of which a fault
// leaves only a part.
import type { ServerResponse } from 'node:http'
import type { Encoding } from './wire.ts'

/** `cut` and `end` send only so many bytes; `cut` resets the connection, `end` ends as if whole. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: number }
  | { readonly kind: 'reset' | 'silent' | 'garbage' }
  | { readonly kind: 'cut' | 'end'; readonly bytes: number }

/** A watch as mischief sees it. */
export interface Stream {
  readonly plural: string
  readonly encoding: Encoding
  write(bytes: Buffer): void
  /** Ends it as if all were said. */
  end(): void
}

/** Called for every event in place of writing it. */
export type Mischief = (stream: Stream, bytes: Buffer) => void

/** A watch that is open. */
export class OpenStream implements Stream {
  readonly plural: string
  readonly encoding: Encoding
  readonly #response: ServerResponse
  unsubscribe: () => void = () => {}

  constructor(plural: string, encoding: Encoding, response: ServerResponse) {
    this.plural = plural
    this.encoding = encoding
    this.#response = response
  }

  write(bytes: Buffer): void {
    if (!this.#response.writableEnded) this.#response.write(bytes)
  }

  end(): void {
    this.#response.end()
  }
}

/** Everything, or the part that the fault leaves. */
export function send(response: ServerResponse, bytes: Buffer, fault: Fault | undefined): void {
  if (fault?.kind === 'end') response.end(bytes.subarray(0, fault.bytes))
  else if (fault?.kind === 'cut') {
    response.write(bytes.subarray(0, fault.bytes), () => response.socket?.resetAndDestroy())
  } else response.end(bytes)
}
