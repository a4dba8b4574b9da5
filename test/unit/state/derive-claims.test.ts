// derive(): who has a key by rank, and which changes concern nobody.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { derive } from '../../../src/state/derive.ts'
import { Table } from '../../../src/state/table.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('derive() lets the lower rank have a key, also when ranks change', async (t) => {
  interface Claim {
    readonly name: string
    readonly rank: number
  }
  const claims = new Table<Claim>('claims', ({ name }) => name)
  const prizes = new Table<Claim & { readonly key: string }>('prizes', ({ key }) => key)
  const derivation = {
    inputs: [{ table: claims, groupsOf: ({ name }: Claim) => [name] }],
    compute: (name: string) => {
      const claim = claims.get(name)
      return claim ? [{ ...claim, key: 'prize' }] : []
    },
    output: prizes,
    rankOf: ({ rank }: Claim) => rank,
  }
  t.after(derive(derivation))
  claims.markInitialized()
  const owner = async () => {
    await turn()
    return prizes.get('prize')?.name
  }
  claims.upsert({ name: 'a', rank: 2 })
  assert.equal(await owner(), 'a')
  claims.upsert({ name: 'b', rank: 1 })
  assert.equal(await owner(), 'b')
  claims.upsert({ name: 'b', rank: 2 })
  assert.equal(await owner(), 'a')
  claims.upsert({ name: 'b', rank: 0 })
  assert.equal(await owner(), 'b')
  claims.delete('b')
  assert.equal(await owner(), 'a')
})

test('derive() passes over changes outside the part that matters', async (t) => {
  interface Row {
    readonly name: string
    readonly part: string
    readonly rest: number
  }
  const rows = new Table<Row>('rows', ({ name }) => name)
  const out = new Table<{ readonly name: string }>('out', ({ name }) => name)
  const computed: string[] = []
  const input = {
    table: rows,
    groupsOf: ({ name }: Row) => [name],
    partOf: ({ part }: Row) => part,
  }
  const compute = (name: string) => {
    computed.push(name)
    return rows.get(name) ? [{ name }] : []
  }
  t.after(derive({ inputs: [input], compute, output: out }))
  rows.markInitialized()
  for (const row of [
    { name: 'a', part: 'x', rest: 1 },
    { name: 'a', part: 'x', rest: 2 },
    { name: 'a', part: 'y', rest: 2 },
  ]) {
    rows.upsert(row)
    await turn()
  }
  rows.delete('a')
  await turn()
  assert.deepEqual(computed, ['a', 'a', 'a'])
  assert.equal(out.size, 0)
})
