// What an API server writes: lists, events and errors in both encodings.
import { MAGIC, messageType } from '../../src/kube/watch/protobuf.ts'
import { RESOURCES } from '../../src/kube/watch/resources.ts'

export type Encoding = 'protobuf' | 'json'

export const CONTENT_TYPE: Readonly<Record<Encoding, string>> = {
  protobuf: 'application/vnd.kubernetes.protobuf',
  json: 'application/json',
}

/** "Pod" of "pods". */
export function kindOf(plural: string): string {
  const resource = RESOURCES.find((each) => each.plural === plural)
  if (!resource) throw new Error(`Cannot serve ${plural}: nobody watches them`)
  return resource.kind.kind
}

export function encodeList(
  encoding: Encoding,
  plural: string,
  { items, metadata }: { items: readonly object[]; metadata: object },
): Buffer {
  const kind = kindOf(plural)
  if (encoding === 'json') {
    return Buffer.from(JSON.stringify({ kind: `${kind}List`, apiVersion: 'v1', metadata, items }))
  }
  const parts = [field(1, encode('ListMeta', metadata))]
  for (const item of items) parts.push(field(2, encode(kind, item)))
  return envelope(`${kind}List`, Buffer.concat(parts))
}

export function encodeEvent(
  encoding: Encoding,
  plural: string,
  { type, object }: { type: string; object: object },
): Buffer {
  const isStatus = type === 'ERROR'
  const kind = kindOf(plural)
  if (encoding === 'json') {
    const typed = { kind: isStatus ? 'Status' : kind, apiVersion: 'v1', ...object }
    return Buffer.from(`${JSON.stringify({ type, object: typed })}\n`)
  }
  const message = isStatus ? 'Status' : type === 'BOOKMARK' ? 'Bookmark' : kind
  const raw = envelope(isStatus ? 'Status' : kind, encode(message, object))
  const event = encode('WatchEvent', { type, object: { raw } })
  const length = Buffer.alloc(4)
  length.writeUInt32BE(event.length)
  return Buffer.concat([length, event])
}

export function encodeStatus(encoding: Encoding, code: number, message: string): Buffer {
  const status = { code, message, reason: 'Test' }
  if (encoding === 'protobuf') return envelope('Status', encode('Status', status))
  return Buffer.from(JSON.stringify({ kind: 'Status', apiVersion: 'v1', ...status }))
}

function envelope(kind: string, raw: Uint8Array): Buffer {
  const unknown = encode('Unknown', { typeMeta: { apiVersion: 'v1', kind }, raw })
  // contentEncoding and contentType, which are always written, as empty.
  return Buffer.concat([MAGIC, unknown, Buffer.from([0x1a, 0, 0x22, 0])])
}

function encode(message: string, object: object): Uint8Array {
  const type = messageType(message)
  return type.encode(type.fromObject(object)).finish()
}

function field(number: number, payload: Uint8Array): Buffer {
  const head = [number * 8 + 2]
  let length = payload.length
  for (; length >= 0x80; length = Math.floor(length / 128)) head.push((length & 0x7f) | 0x80)
  head.push(length)
  return Buffer.concat([Buffer.from(head), payload])
}
