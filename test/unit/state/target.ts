// A target that remembers what it was told and can be made to fail, hang or throw: a verb each.
import type { Failures, Operations } from '../../../src/state/reconciler.ts'
import { Table } from '../../../src/state/table.ts'

export interface Row {
  readonly name: string
  readonly value: number
}

export const createTable = () => new Table<Row>('rows', ({ name }) => name)

export class Target implements Operations<Row> {
  readonly held = new Map<string, number>()
  /** "update a,b", "delete c", "prune" in order. */
  readonly calls: string[] = []
  /** Rows to fail, and with what. */
  readonly failing = new Map<string, string>()
  /** Rows whose call throws as a whole. */
  readonly throwing = new Set<string>()
  failPrunes = 0
  /** Awaited within every call, before it takes effect. */
  during: ((call: string) => Promise<void> | void) | undefined

  async update(rows: readonly Row[]): Promise<Failures> {
    return await this.#call('update', rows, ({ name, value }) => this.held.set(name, value))
  }

  async delete(rows: readonly Row[]): Promise<Failures> {
    return await this.#call('delete', rows, ({ name }) => this.held.delete(name))
  }

  async prune(rows: readonly Row[]): Promise<void> {
    this.calls.push('prune')
    await this.during?.('prune')
    if (this.failPrunes-- > 0) throw new Error('cannot prune')
    const keep = new Set(rows.map(({ name }) => name))
    for (const name of this.held.keys()) if (!keep.has(name)) this.held.delete(name)
  }

  async #call(verb: string, rows: readonly Row[], act: (row: Row) => void): Promise<Failures> {
    const call = `${verb} ${rows.map(({ name }) => name).join()}`
    this.calls.push(call)
    await this.during?.(call)
    if (rows.some(({ name }) => this.throwing.has(name))) throw new Error('call failed')
    const failures = new Map<string, Error>()
    for (const row of rows) {
      const error = this.failing.get(row.name)
      if (error) failures.set(row.name, new Error(error))
      else act(row)
    }
    return failures
  }
}

/** A promise to be resolved from outside. */
export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}
