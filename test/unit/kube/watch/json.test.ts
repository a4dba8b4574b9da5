// Lists and watches in JSON, cut in every way: items come one by one, and what is not whole is
// never taken for whole.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventDecoder, listDecoder } from '../../../../src/kube/watch/decoder.ts'
import { GarbledError } from '../../../../src/kube/watch/errors.ts'
import { below, randomFrom } from '../../../support/random.ts'

const ITEMS = [
  {
    metadata: { name: 'a', annotations: { odd: '"items":[{"}]\\' } },
    list: [[1], [{ items: [2] }]],
  },
  {},
  { text: 'ünï€😀', escaped: '\\"' },
]
const METADATA = { resourceVersion: '5', continue: 'x"[' }

function readList(text: string, size: number): { items: unknown[]; end: unknown } {
  const decoder = listDecoder('json', 'Pod')
  const all = Buffer.from(text)
  const items: unknown[] = []
  for (let at = 0; at < all.length; at += size) {
    items.push(...decoder.push(all.subarray(at, at + size)))
  }
  return { items, end: decoder.end() }
}

test('a list is the same whatever the chunks, the order of fields and the spaces', () => {
  const orders = [
    { kind: 'PodList', metadata: METADATA, items: ITEMS },
    { items: ITEMS, metadata: METADATA, nested: { items: [1, 2], more: [[]] } },
  ]
  for (const list of orders) {
    for (const text of [JSON.stringify(list), JSON.stringify(list, undefined, 2)]) {
      for (let size = 1; size <= text.length; size += 1 + (size >> 3)) {
        const { items, end } = readList(text, size)
        assert.deepEqual(items, ITEMS)
        assert.deepEqual(end, { resourceVersion: '5', continueToken: 'x"[' })
      }
    }
  }
})

test('an empty list, and one whose items are null', () => {
  for (const items of ['[]', '[ ]', 'null']) {
    const { items: read, end } = readList(
      `{"metadata":{"resourceVersion":"7"},"items":${items}}`,
      4,
    )
    assert.deepEqual(read, [])
    assert.deepEqual(end, { resourceVersion: '7', continueToken: '' })
  }
})

test('a list that is cut anywhere is garbled', () => {
  const text = JSON.stringify({ metadata: METADATA, items: ITEMS })
  for (let length = 0; length < Buffer.byteLength(text); length++) {
    const part = Buffer.from(text).subarray(0, length).toString('latin1')
    assert.throws(() => readList(part, 1 + (length % 9)), GarbledError, `after ${length} bytes`)
  }
})

test('a list of something else than objects, or an answer that is no list, is garbled', () => {
  const texts = [
    '{"items":[1],"metadata":{"resourceVersion":"1"}}',
    '{"items":["a"]}',
    '[]',
    'null',
  ]
  const more = [
    '{"metadata":{"resourceVersion":"1"}}',
    '{"items":[[{}]]}',
    '{"items":[]}',
    '<html>',
  ]
  for (const text of [...texts, ...more]) {
    assert.throws(() => readList(text, 5), GarbledError, text)
  }
})

test('events come one by one, whatever the chunks', () => {
  const random = randomFrom(7)
  const events = [
    { type: 'ADDED', object: { kind: 'Pod', metadata: { name: 'ünï' } } },
    { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } },
    { type: 'ERROR', object: { kind: 'Status', code: 410 } },
  ]
  const stream = Buffer.from(`\n${events.map((each) => JSON.stringify(each)).join('\n\n')}\n`)
  for (let round = 0; round < 50; round++) {
    const decoder = eventDecoder('json', 'Pod')
    const read: unknown[] = []
    for (let at = 0; at < stream.length; ) {
      const size = 1 + below(random, 40)
      read.push(...decoder.push(stream.subarray(at, at + size)))
      at += size
    }
    assert.deepEqual(read, events)
  }
})

test('half a line at the end is no event; a line that is none is garbled', () => {
  const decoder = eventDecoder('json', 'Pod')
  assert.deepEqual([...decoder.push(Buffer.from('{"type":"ADDED","object":{}'))], [])
  const lines = ['{"type":"ADDED"', '7', 'null', '{"type":"GONE","object":{}}', '{"object":{}}']
  for (const line of [...lines, '{"type":"ADDED","object":{"kind":"Service"}}']) {
    assert.throws(
      () => [...eventDecoder('json', 'Pod').push(Buffer.from(`${line}\n`))],
      GarbledError,
    )
  }
})
