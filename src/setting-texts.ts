// The texts of settings to values: what is wrong is collected, so that all of it is told at once.
import { resolve } from 'node:path'
import { type Prefix, parsePrefix } from './net/prefix.ts'

export interface Listen {
  readonly host: string
  readonly port: number
}

export class SettingTexts {
  readonly errors: string[] = []
  readonly #texts: ReadonlyMap<string, string>

  constructor(texts: ReadonlyMap<string, string>) {
    this.#texts = texts
  }

  has(name: string): boolean {
    return this.#texts.has(name)
  }

  text(name: string): string {
    return this.#texts.get(name) ?? ''
  }

  wrong(name: string, state: string): void {
    this.errors.push(`Cannot use --${name} "${this.text(name)}": ${state}`)
  }

  flag(name: string): boolean {
    return this.text(name) === 'true'
  }

  /** Undefined when absent or wrong. */
  integer(name: string, low: number, high: number): number | undefined {
    const text = this.#texts.get(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= low && value <= high) return value
    this.wrong(name, `must be a whole number from ${low} to ${high}`)
    return undefined
  }

  path(name: string): string | undefined {
    const text = this.#texts.get(name)
    return text === undefined ? undefined : resolve(text)
  }

  /** Comma separated. */
  list(name: string): string[] {
    return this.text(name)
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  }

  prefixes(name: string, must = 'must be prefixes'): readonly Prefix[] {
    try {
      return this.list(name).map(parsePrefix)
    } catch {
      this.wrong(name, `${must} like 10.0.0.0/8, comma separated`)
      return []
    }
  }

  /** "16384-29999". */
  ports(name: string): { readonly first: number; readonly last: number } {
    const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(this.text(name))?.map(Number) ?? []
    if (first && last && first <= last && last <= 65_535) return { first, last }
    this.wrong(name, 'must be a range of ports like 16384-29999')
    return { first: 0, last: 0 }
  }

  /** "127.0.0.1:9464", "[::1]:9464" or ":9464" (every address). */
  listen(name: string): Listen {
    const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(this.text(name))
    const port = Number(match?.[3])
    if (match && port <= 65_535) return { host: match[1] ?? (match[2] || '::'), port }
    this.wrong(name, 'must be of the form ADDRESS:PORT')
    return { host: '', port: 0 }
  }
}
