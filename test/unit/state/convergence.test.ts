// Random sequences against a model: whatever happens to the rows and whichever calls fail, the
// target ends equal to the table.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Failures, Reconciler } from '../../../src/state/reconciler.ts'
import { below, pick, randomFrom } from '../../support/random.ts'
import { createTable, type Row, Target } from './target.ts'

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

/** Fails every n-th row by its error and every m-th call by a throw. */
class FaultyTarget extends Target {
  #rows = 0
  #calls = 0
  readonly everyRow: number
  readonly everyCall: number

  constructor(everyRow: number, everyCall: number) {
    super()
    this.everyRow = everyRow
    this.everyCall = everyCall
  }

  override async update(rows: readonly Row[]): Promise<Failures> {
    return await super.update(this.#fault(rows))
  }

  override async delete(rows: readonly Row[]): Promise<Failures> {
    return await super.delete(this.#fault(rows))
  }

  #fault(rows: readonly Row[]): readonly Row[] {
    this.failing.clear()
    if (++this.#calls % this.everyCall === 0) throw new Error('call failed')
    for (const { name } of rows) {
      if (++this.#rows % this.everyRow === 0) this.failing.set(name, 'row failed')
    }
    return rows
  }
}

for (let seed = 1; seed <= 40; seed++) {
  test(`the target ends equal to the table (seed ${seed})`, async (t) => {
    const random = randomFrom(seed)
    const table = createTable()
    const target = new FaultyTarget(2 + below(random, 4), 2 + below(random, 5))
    const errors = new Map<string, boolean>()
    target.held.set('stale', 0)
    target.during = () => new Promise((resolve) => setImmediate(resolve))
    const reconciler = new Reconciler(table, target, {
      retryMs: () => 0,
      batchSize: 1 + below(random, 4),
      onError: (_table, key, error) => {
        assert.notEqual(errors.get(key) ?? false, error !== undefined, 'only transitions are told')
        errors.set(key, error !== undefined)
      },
    })
    t.after(() => reconciler.stop())
    reconciler.start()
    for (let step = 0; step < 150; step++) {
      const name = pick(random, NAMES)
      const action = random()
      if (action < 0.5) table.upsert({ name, value: below(random, 3) })
      else if (action < 0.8) table.delete(name)
      else if (action < 0.83) reconciler.resync()
      else if (action < 0.86) table.markInitialized()
      else if (action < 0.88) {
        await reconciler.stop()
        reconciler.start()
      } else await new Promise((resolve) => setImmediate(resolve))
    }
    table.markInitialized()
    await reconciler.idle()
    const wanted = [...table.rows()].map(({ name, value }) => [name, value]).sort()
    assert.deepEqual([...target.held].sort(), wanted)
    assert.deepEqual([...table.deleted()], [])
    for (const { status } of table.entries()) assert.equal(status.state, 'done')
    assert.equal([...errors.values()].includes(true), false)
  })
}
