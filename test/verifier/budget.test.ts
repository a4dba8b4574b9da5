// Every program loads in every mode that changes its control flow, within its budget of verified
// instructions (the verifier's limit is a million). UPDATE=1 writes the budget anew.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type * as layout from '../../src/datapath/layout.gen.ts'
import type { Address } from '../../src/net/address.ts'
import { World } from '../support/world.ts'

const LIMIT = 1_000_000
const REFUSED_SHARE = 0.7
const GROWTH = 1.2
const BUDGET = new URL('budget.json', import.meta.url)
const NONE = '::' as Address

const MODES: Readonly<Record<string, Partial<layout.Config>>> = {
  'overlay, dual stack': {},
  'native, dual stack': { overlayIfindex: 0 },
  'overlay, IPv4 only': { gateway6: NONE, node6: NONE },
  'overlay, IPv6 only': { gateway4: NONE, node4: NONE },
  'socket services': { socketServices: 1 },
}

/** Verified instructions by mode and program. */
type Budget = Record<string, Record<string, number>>

const held: Budget = existsSync(BUDGET) ? JSON.parse(readFileSync(BUDGET, 'utf8')) : {}
const measured: Budget = {}

for (const [mode, config] of Object.entries(MODES)) {
  test(`programs verify within budget: ${mode}`, () => {
    const world = new World({ config, maxEntries: { flows: 1024, embryos: 1024 } })
    try {
      const names = world.object.programs.map(({ name }) => name).sort()
      const counts = names.map((name) => [name, world.program(name).verifiedInstructions])
      measured[mode] = Object.fromEntries(counts)
    } finally {
      world.close()
    }
    if (!process.env['UPDATE']) assertWithin(measured[mode] ?? {}, held[mode] ?? {})
  })
}

test('budget.json lists the programs of today', () => {
  if (process.env['UPDATE']) {
    writeFileSync(BUDGET, `${JSON.stringify(measured, null, 2)}\n`)
    return
  }
  const programs = (budget: Budget): string[][] => Object.values(budget).map(Object.keys)
  assert.deepEqual(programs(held), programs(measured), 'UPDATE=1 writes budget.json anew')
})

function assertWithin(
  counts: Readonly<Record<string, number>>,
  budget: Readonly<Record<string, number>>,
): void {
  for (const [program, count] of Object.entries(counts)) {
    assert.ok(count > 0, `${program}: the kernel says how many instructions it verified`)
    assert.ok(count < LIMIT * REFUSED_SHARE, `${program}: ${count} of ${LIMIT} instructions`)
    const allowed = (budget[program] ?? 0) * GROWTH
    assert.ok(count <= allowed, `${program}: ${count} instructions, budget ${budget[program]}`)
  }
}
