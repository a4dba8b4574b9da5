// The programs' rows of `weir bench`: every case is forwarded, and none is missing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timePrograms } from '../../src/bench/programs.ts'
import { enterOwnNetns } from '../support/own-netns.ts'

enterOwnNetns()

const CASES = [
  'from_pod.established',
  'from_pod.overlay',
  'from_uplink.overlay',
  'from_pod.service-new',
  'from_uplink.node-port',
  'xdp_uplink.node-port',
]

test('timePrograms() has a row for each program and path, in both families', () => {
  const rows = timePrograms(10)
  const names = CASES.flatMap((name) => [`program.${name}-ipv4.ns`, `program.${name}-ipv6.ns`])
  assert.deepEqual(rows.map(({ name }) => name).sort(), names.sort())
  for (const { name, value, referenceValue, ratio } of rows) {
    assert.ok(value > 0 && referenceValue > 0 && ratio === value / referenceValue, name)
  }
})
