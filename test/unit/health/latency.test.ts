// From the time that a slice says to the round that wrote what follows from it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProgrammingLatency } from '../../../src/programming-latency.ts'
import type { Frontend } from '../../../src/tables/desired.ts'
import { createTables } from '../../../src/tables/tables.ts'
import { makeEndpoint, makeFrontend } from '../../support/service-rows.ts'

function build() {
  const { endpointSlices, frontends } = createTables()
  let now = 1_000_000
  const seen: number[] = []
  const observe = (seconds: number) => seen.push(seconds)
  const latency = new ProgrammingLatency({ endpointSlices, frontends, observe, now: () => now })
  let n = 0
  const slice = (changedAt: number | undefined, service = 'web') =>
    endpointSlices.upsert({
      namespace: 'default',
      name: `${service}-1`,
      service,
      ports: [{ name: '', protocol: 'TCP', port: 80 }],
      endpoints: [makeEndpoint(`10.0.1.${++n}`)],
      ...(changedAt === undefined ? {} : { changedAt }),
    })
  const derived = (more: Partial<Frontend> = {}) =>
    frontends.upsert(makeFrontend({ ...more, affinitySeconds: ++n }))
  const done = () => {
    for (const { key, revision } of [...frontends.entries()]) {
      frontends.setStatus(key, revision, { state: 'done' })
    }
    latency.observeRound()
  }
  return { slice, derived, done, seen, latency, wait: (ms: number) => (now += ms) }
}

test('a change is measured from what the slice says to the end of its round', () => {
  const { slice, derived, done, seen, wait } = build()
  slice(1_000_000)
  wait(200)
  derived()
  wait(50)
  done()
  assert.deepEqual(seen, [0.25])
  done()
  assert.deepEqual(seen, [0.25], 'once')
})

test('of several changes the oldest counts, once all frontends are written', () => {
  const { slice, derived, done, seen, wait, latency } = build()
  slice(1_000_000)
  derived()
  wait(1000)
  slice(1_000_900)
  derived({ port: 81 })
  latency.observeRound()
  assert.deepEqual(seen, [], 'they are pending')
  wait(1000)
  done()
  assert.deepEqual(seen, [2])
})

test('older than the agent, without a time, without effect here: not measured', () => {
  const { slice, derived, done, seen, wait } = build()
  slice(999_999)
  derived()
  done()
  slice(undefined)
  derived()
  done()
  slice(1_000_000, 'headless')
  wait(2000)
  done()
  derived({ service: 'default/headless' })
  done()
  assert.deepEqual(seen, [])
})

test('a clock that is behind does not give negative times', () => {
  const { slice, derived, done, seen } = build()
  slice(1_005_000)
  derived()
  done()
  assert.deepEqual(seen, [0])
})
