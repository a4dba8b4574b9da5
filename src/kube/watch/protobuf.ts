// Kubernetes' protobuf encoding: every object is "k8s\0" and a runtime.Unknown around its own
// message. The objects that come out have the shape of their JSON, and pass the same validation.
import protobuf from 'protobufjs/light.js'
import { GarbledError } from './errors.ts'
import { SCHEMA } from './schema.ts'

export const MAGIC = Buffer.from('k8s\0', 'latin1')

const root = protobuf.Root.fromJSON(SCHEMA)
const types = new Map<string, protobuf.Type>()

/** The message of this name in the lean schema. */
export function messageType(name: string): protobuf.Type {
  let type = types.get(name)
  if (!type) {
    type = root.lookupType(name)
    types.set(name, type)
  }
  return type
}

/** One message without envelope. Throws GarbledError. */
export function decodeMessage(name: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    const type = messageType(name)
    const decoded = type.decode(bytes)
    if (name !== 'NetworkPolicy') return decoded as unknown as Record<string, unknown>
    return unwrapPorts(type.toObject(decoded))
  } catch (error) {
    throw new GarbledError(`a ${name} in protobuf: ${(error as Error).message}`, { cause: error })
  }
}

/** What is in the envelope: the kind that it names and the bytes of the message. */
export function openEnvelope(bytes: Buffer): { kind: string; raw: Uint8Array } {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new GarbledError(`protobuf without "k8s": ${bytes.subarray(0, 8).toString('hex')}`)
  }
  const { typeMeta, raw } = decodeMessage('Unknown', bytes.subarray(MAGIC.length)) as {
    typeMeta?: { kind?: string }
    raw?: Uint8Array
  }
  return { kind: typeMeta?.kind ?? '', raw: raw ?? new Uint8Array() }
}

/** A port is a number or a name; in protobuf both are fields of a message. */
function unwrapPorts(policy: Record<string, unknown>): Record<string, unknown> {
  type Rule = { ports?: { port?: unknown }[] }
  const spec = policy['spec'] as Partial<Record<'ingress' | 'egress', Rule[]>> | undefined
  for (const rule of [...(spec?.ingress ?? []), ...(spec?.egress ?? [])]) {
    for (const each of rule.ports ?? []) {
      const port = each.port as { type?: number; intVal?: number; strVal?: string } | undefined
      if (port) each.port = port.type === 1 ? (port.strVal ?? '') : (port.intVal ?? 0)
    }
  }
  return policy
}
