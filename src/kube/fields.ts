// A cursor over an object that people wrote: it walks typed fields, checks each value as it is
// read, and knows the path to say where a wrong one is. Objects of the API server pass the same
// checks.
import { type Address, parseSloppyAddress } from '../net/address.ts'
import { type Prefix, parseSloppyPrefix } from '../net/prefix.ts'
import type { Protocol } from '../net/protocol.ts'

export type FieldPath = readonly (string | number)[]

/** An object that cannot be used; the message is for people, `path` finds the line. */
export class ObjectError extends Error {
  readonly path: FieldPath

  constructor(object: string, path: FieldPath, fault: string) {
    super(`Cannot use ${object}: ${path.length > 0 ? `${formatPath(path)} ` : ''}${fault}`)
    this.path = path
  }
}

/** "spec.ports[0].port". */
export function formatPath(path: FieldPath): string {
  return path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : at > 0 ? `.${part}` : part))
    .join('')
}

type Element<T> = T extends readonly (infer E)[] ? E : never

export class Field<T> {
  readonly #object: string
  readonly #parent: Field<unknown> | undefined
  readonly #part: string | number
  readonly value: unknown

  private constructor(
    object: string,
    value: unknown,
    parent?: Field<unknown>,
    part: string | number = '',
  ) {
    this.#object = object
    this.value = value
    this.#parent = parent
    this.#part = part
  }

  /** The object itself; `name` is how messages call it: "Service default/web". */
  static of<T>(name: string, value: T): Field<T> {
    return new Field<T>(name, value)
  }

  get path(): FieldPath {
    return this.#parent ? [...this.#parent.path, this.#part] : []
  }

  /** True when the field is left out or null. */
  get absent(): boolean {
    return this.value === undefined || this.value === null
  }

  /** Throws what is wrong here, as in "spec.ports[0].port is 0; give a number from 1 to 65535". */
  fail(fault: string): never {
    throw new ObjectError(this.#object, this.path, fault)
  }

  /** What was read, short enough for a sentence. */
  is(advice: string): never {
    if (this.absent) this.fail(`is missing; ${advice}`)
    const text = JSON.stringify(this.value)
    this.fail(`is ${text.length > 60 ? `${text.slice(0, 57)}...` : text}; ${advice}`)
  }

  /** A field of this object; absent when this object is. */
  get<K extends keyof NonNullable<T> & string>(name: K): Field<NonNullable<T>[K]> {
    if (this.absent) return new Field(this.#object, undefined, this, name)
    if (typeof this.value !== 'object' || Array.isArray(this.value)) this.is('give a mapping')
    const record = this.value as Record<string, unknown>
    return new Field(
      this.#object,
      Object.hasOwn(record, name) ? record[name] : undefined,
      this,
      name,
    )
  }

  /** The elements of this list; none when it is absent. */
  items(): Field<Element<NonNullable<T>>>[] {
    if (this.absent) return []
    if (!Array.isArray(this.value)) this.is('give a list')
    return (this.value as unknown[]).map((value, at) => new Field(this.#object, value, this, at))
  }

  /** Text; `otherwise` when absent. */
  text(otherwise?: string): string {
    if (this.absent && otherwise !== undefined) return otherwise
    if (typeof this.value !== 'string') {
      this.is(this.absent ? 'give it as text' : 'put it in quotes to make it text')
    }
    return this.value as string
  }

  flag(otherwise: boolean): boolean {
    if (this.absent) return otherwise
    if (typeof this.value !== 'boolean') this.is('give true or false')
    return this.value as boolean
  }

  integer(low: number, high: number): number {
    const { value } = this
    if (!Number.isInteger(value) || Number(value) < low || Number(value) > high) {
      this.is(`give a whole number from ${low} to ${high}`)
    }
    return value as number
  }

  port(): number {
    return this.integer(1, 65_535)
  }

  protocol(): Protocol {
    const { value } = this
    // Empty as in protobuf, where text that was left out is empty.
    if (this.absent || value === '') return 'TCP'
    if (value !== 'TCP' && value !== 'UDP' && value !== 'SCTP') this.is('give TCP, UDP or SCTP')
    return value as Protocol
  }

  address(): Address {
    const text = this.text()
    try {
      return parseSloppyAddress(text)
    } catch {
      return this.is('give an IPv4 or IPv6 address')
    }
  }

  /** Blanks around it are no fault: source ranges of load balancers may have them. */
  prefix(): Prefix {
    const text = this.text().trim()
    try {
      return parseSloppyPrefix(text)
    } catch {
      return this.is('give a prefix like 10.0.1.0/24 or fd00:1::/64')
    }
  }

  /** Labels or annotations. */
  labels(): Readonly<Record<string, string>> {
    if (this.absent) return {}
    const field = this as unknown as Field<Record<string, string>>
    if (typeof this.value !== 'object' || Array.isArray(this.value)) this.is('give a mapping')
    const labels = this.value as Record<string, unknown>
    for (const name of Object.keys(labels)) {
      if (typeof labels[name] !== 'string') field.get(name).text()
    }
    return labels as Record<string, string>
  }
}
