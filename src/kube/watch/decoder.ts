// Bytes of an answer to objects, in either encoding, behind one interface: lists give items and at
// the end where they stand, watches give events.
import { GarbledError } from './errors.ts'
import { LengthSplitter, LineSplitter } from './frames.ts'
import { JsonListSplitter } from './json-list.ts'
import { decodeMessage, openEnvelope } from './protobuf.ts'
import { ProtobufListSplitter } from './protobuf-list.ts'

export type Encoding = 'protobuf' | 'json'

export interface ListEnd {
  readonly resourceVersion: string
  /** Where the next page begins; empty after the last. */
  readonly continueToken: string
}

export interface ListDecoder {
  /** Items that this chunk completes. Throws GarbledError. */
  push(chunk: Buffer): Generator<unknown>
  /** Throws GarbledError when the list is not whole. */
  end(): ListEnd
}

export const EVENT_TYPES = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const
export type EventType = (typeof EVENT_TYPES)[number]

export interface WatchEvent {
  readonly type: EventType
  /** Of the kind that is watched; a Status when the type is ERROR. */
  readonly object: unknown
}

export interface EventDecoder {
  /** Events that this chunk completes. Throws GarbledError. */
  push(chunk: Buffer): Generator<WatchEvent>
}

/** `kind` names the message in protobuf. */
export function listDecoder(encoding: Encoding, kind: string): ListDecoder {
  return encoding === 'json' ? jsonListDecoder() : protobufListDecoder(kind)
}

/** `kind` names the message in protobuf. */
export function eventDecoder(encoding: Encoding, kind: string): EventDecoder {
  return encoding === 'json' ? jsonEventDecoder(kind) : protobufEventDecoder(kind)
}

function jsonListDecoder(): ListDecoder {
  const splitter = new JsonListSplitter()
  return {
    *push(chunk) {
      for (const text of splitter.push(chunk)) yield parseJson(text)
    },
    end() {
      const list = splitter.end() as { items?: unknown; metadata?: unknown } | null
      const isList = typeof list === 'object' && list !== null && 'items' in list
      if (!isList) throw new GarbledError('an answer that is no list')
      return readListEnd(list.metadata)
    },
  }
}

function protobufListDecoder(kind: string): ListDecoder {
  const splitter = new ProtobufListSplitter()
  return {
    *push(chunk) {
      for (const bytes of splitter.push(chunk)) yield decodeMessage(kind, bytes)
    },
    end: () => readListEnd(splitter.end()),
  }
}

function readListEnd(metadata: unknown): ListEnd {
  const { resourceVersion, continue: token } = (metadata ?? {}) as Record<string, unknown>
  if (typeof resourceVersion !== 'string' || resourceVersion === '') {
    throw new GarbledError('a list without resourceVersion')
  }
  return { resourceVersion, continueToken: typeof token === 'string' ? token : '' }
}

function jsonEventDecoder(kind: string): EventDecoder {
  const splitter = new LineSplitter()
  return {
    *push(chunk) {
      for (const line of splitter.push(chunk)) {
        const event = (parseJson(line) ?? {}) as { type?: unknown; object?: unknown }
        const type = asEventType(event.type)
        const { kind: given } = (event.object ?? {}) as { kind?: unknown }
        if (type !== 'ERROR' && given !== undefined) expectKind({ kind: String(given) }, kind)
        yield { type, object: event.object }
      }
    },
  }
}

function protobufEventDecoder(kind: string): EventDecoder {
  const splitter = new LengthSplitter()
  return {
    *push(chunk) {
      for (const frame of splitter.push(chunk)) {
        const event = decodeMessage('WatchEvent', frame)
        const type = asEventType(event['type'])
        const { raw } = (event['object'] ?? {}) as { raw?: Uint8Array }
        const envelope = openEnvelope(asBuffer(raw))
        const message =
          type === 'ERROR'
            ? 'Status'
            : type === 'BOOKMARK'
              ? 'Bookmark'
              : expectKind(envelope, kind)
        yield { type, object: decodeMessage(message, envelope.raw) }
      }
    },
  }
}

/** The same bytes, not a copy. */
function asBuffer(bytes: Uint8Array = new Uint8Array()): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function expectKind(envelope: { kind: string }, kind: string): string {
  if (envelope.kind === kind) return kind
  throw new GarbledError(`an event of kind ${envelope.kind} in a watch of ${kind}`)
}

function asEventType(type: unknown): EventType {
  const known = EVENT_TYPES.find((each) => each === type)
  if (known) return known
  throw new GarbledError(`an event of type ${JSON.stringify(type)?.slice(0, 40)}`)
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString())
  } catch (error) {
    const begin = text.toString('latin1', 0, 60)
    throw new GarbledError(`text that is no JSON: ${JSON.stringify(begin)}`, { cause: error })
  }
}
