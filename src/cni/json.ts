// Reading JSON that somebody else wrote: every value is unknown until asked for its shape.

export type JsonObject = Readonly<Record<string, unknown>>

/** The value as an object, or undefined when it is none. */
export function asObject(value: unknown): JsonObject | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return value as JsonObject
}

/**
 * The value as an array; null is an empty one (Go writes nil slices so), anything else undefined.
 */
export function asArray(value: unknown): readonly unknown[] | undefined {
  if (value === null) return []
  return Array.isArray(value) ? value : undefined
}

/** The value as a string, or '' when it is none. */
export function asString(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A field whatever the case of its name: containerd sends Go names, CRI-O camelCase. */
export function anyCase(object: JsonObject, name: string): unknown {
  if (name in object) return object[name]
  const wanted = name.toLowerCase()
  const found = Object.keys(object).find((key) => key.toLowerCase() === wanted)
  return found === undefined ? undefined : object[found]
}

/** True for what says nothing: absent, null, '', [], {}. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  return typeof value === 'object' && Object.keys(value).length === 0
}
