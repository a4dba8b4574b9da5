// The bench's rows as people read them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMarkdown, formatRows } from '../../../src/bench/report.ts'

const ROW = {
  name: 'same-node.tcp-rr.latency-us',
  value: 6.612,
  unit: 'us',
  reference: 'veth.tcp-rr.latency-us',
  referenceValue: 6.3,
  ratio: 1.04952,
}

test('formatMarkdown() gives a table with the target beside the ratio', () => {
  const [head, rule, line] = formatMarkdown([ROW]).split('\n')
  assert.equal(head, '| name | value | unit | beside | its value | ratio | target |')
  assert.equal(rule, '| --- | --- | --- | --- | --- | --- | --- |')
  assert.equal(
    line,
    '| same-node.tcp-rr.latency-us | 6.61 | us | ' +
      'veth.tcp-rr.latency-us | 6.30 | 1.050x | <= 1.05x |',
  )
})

test('formatRows() aligns without drawing lines', () => {
  const lines = formatRows([ROW, { ...ROW, name: 'cni.add.p50-ms', value: 12345 }]).split('\n')
  assert.equal(lines.length, 3)
  assert.match(lines[2] ?? '', /^cni\.add\.p50-ms +12345 /)
  assert.doesNotMatch(lines.join(''), /[│║─|]/)
})
