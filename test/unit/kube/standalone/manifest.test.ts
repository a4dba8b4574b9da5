// From a file's text to objects, and from a fault to its line.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { readManifest } from '../../../../src/kube/standalone/manifest.ts'
import { below, pick, randomFrom } from '../../../support/random.ts'

const namespace = (name: string) => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`
const ids = (text: string, format: 'yaml' | 'json' = 'yaml') =>
  readManifest(text, format).objects.map(({ id, line, document }) => `${id} ${line} ${document}`)

test('a file holds several documents, each object with its line', () => {
  const text = `# first\n${namespace('a')}---\n---\n${namespace('b')}...\n# end\n`
  assert.deepEqual(ids(text), ['Namespace a 2 1', 'Namespace b 8 3'])
})

test('an empty file and comments give nothing', () => {
  for (const text of ['', '\n', '# nothing\n', '---\n---\n']) {
    assert.deepEqual(readManifest(text, 'yaml').faults, [])
    assert.deepEqual(ids(text), [])
  }
})

test('lists are opened, also typed ones and lists in lists', () => {
  const text = [
    'apiVersion: v1',
    'kind: List',
    'items:',
    '- apiVersion: v1',
    '  kind: NamespaceList',
    '  items:',
    '  - metadata: {name: a}',
    '  - metadata: {name: b}',
    '- {apiVersion: v1, kind: Namespace, metadata: {name: c}}',
    '- null',
  ].join('\n')
  assert.deepEqual(ids(text), ['Namespace a 7 1', 'Namespace b 8 1', 'Namespace c 9 1'])
})

test('anchors and merge keys work', () => {
  const text = `apiVersion: v1
kind: List
items:
- &base {apiVersion: v1, kind: Namespace, metadata: {name: a}}
- <<: *base
  metadata: {name: b}
`
  assert.deepEqual(ids(text), ['Namespace a 4 1', 'Namespace b 5 1'])
})

test('a wrong field names its line, and the other documents go on', () => {
  const text = `${namespace('a')}---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  clusterIP: 10.96.0.1
  ports:
  - name: a
    port: 80
  - name: b
    port: 0
---
${namespace('b')}`
  const manifest = readManifest(text, 'yaml')
  assert.deepEqual(ids(text), ['Namespace a 1 1', 'Namespace b 18 3'])
  assert.deepEqual(manifest.faults, [
    {
      document: 2,
      line: 16,
      message:
        'Cannot use Service default/web: spec.ports[1].port is 0; give a whole ' +
        'number from 1 to 65535',
    },
  ])
})

test('a missing field has the line of what it is missing from', () => {
  const text =
    'apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: 80\n'
  const [fault] = readManifest(text, 'yaml').faults
  assert.equal(fault?.line, 6)
  assert.match(fault?.message ?? '', /spec.clusterIP is missing/)
})

test('bad YAML names its line and document, and the other documents go on', () => {
  const text = `${namespace('a')}---\nkind: Namespace\nmetadata: {name: [}\n---\n${namespace('b')}`
  const manifest = readManifest(text, 'yaml')
  assert.deepEqual(ids(text), ['Namespace a 1 1', 'Namespace b 9 3'])
  assert.equal(manifest.faults.length, 1)
  assert.deepEqual([manifest.faults[0]?.line, manifest.faults[0]?.document], [7, 2])
  assert.match(manifest.faults[0]?.message ?? '', /^Cannot parse YAML: [^\n]+$/)
})

test('what is no object at all is told so', () => {
  for (const text of ['just text', '- a\n- b\n', 'kind: Service\n', 'apiVersion: v1\n', '3']) {
    const { faults } = readManifest(text, 'yaml')
    assert.equal(faults.length, 1, text)
    assert.match(faults[0]?.message ?? '', /it is no Kubernetes object; give it apiVersion, kind/)
  }
})

test('a duplicated key is a fault', () => {
  const { faults, objects } = readManifest(`${namespace('a')}kind: Namespace\n`, 'yaml')
  assert.equal(objects.length, 0)
  assert.match(faults[0]?.message ?? '', /unique/)
})

test('aliases that explode are a fault and no crash', () => {
  const levels = Array.from({ length: 12 }, (_, i) => {
    const below = i === 0 ? 'x' : `*l${i - 1}`
    return `l${i}: &l${i} [${Array(10).fill(below).join(', ')}]`
  })
  const { faults } = readManifest(levels.join('\n'), 'yaml')
  assert.match(faults[0]?.message ?? '', /alias/)
})

test('kinds that nobody reads are named once', () => {
  const text =
    `apiVersion: apps/v1\nkind: Deployment\n---\napiVersion: ` +
    `apps/v1\nkind: Deployment\n---\napiVersion: serving.knative.dev/v1\nkind: Service\n`
  const { ignoredKinds, faults } = readManifest(text, 'yaml')
  assert.deepEqual(ignoredKinds, ['apps/v1 Deployment', 'serving.knative.dev/v1 Service'])
  assert.deepEqual(faults, [])
})

test('an object given twice in a file counts once', () => {
  const text = `${namespace('a')}---\n${namespace('a')}`
  assert.deepEqual(ids(text), ['Namespace a 1 1'])
  assert.deepEqual(readManifest(text, 'yaml').duplicates, [
    {
      line: 6,
      document: 2,
      message: 'Namespace a is given twice in this file; the first one counts',
    },
  ])
})

test('JSON is read, with lines for its faults', () => {
  const object = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: {} }
  const list = { apiVersion: 'v1', kind: 'List', items: [object] }
  assert.deepEqual(ids('{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}', 'json'), [
    'Namespace a 1 1',
  ])
  const [wrong] = readManifest(JSON.stringify(list, null, '\t'), 'json').faults
  assert.equal(wrong?.line, 11)
  assert.match(wrong?.message ?? '', /spec.clusterIP is missing/)
  const [broken] = readManifest('{\n  "kind": "Service",\n  oops\n}', 'json').faults
  assert.equal(broken?.line, 3)
  const [cut] = readManifest('{\n  "kind": "Service",\n', 'json').faults
  assert.equal(cut?.line, 3)
})

test('lists without end and nesting without end do no harm', () => {
  const depth = 20_000
  const list = '{"apiVersion":"v1","kind":"List","items":['
  const nested = readManifest(list.repeat(depth) + ']}'.repeat(depth), 'json')
  assert.deepEqual([nested.objects, nested.ignoredKinds], [[], ['v1 List']])
  const { faults } = readManifest('['.repeat(depth) + ']'.repeat(depth), 'yaml')
  assert.match(faults[0]?.message ?? '', /^Cannot parse YAML/)
})

/** One change of a text: bytes cut, repeated, swapped or replaced by what parsers care about. */
function mutate(text: string, random: () => number): string {
  const at = below(random, text.length)
  const end = at + 1 + below(random, 20)
  const token = pick(random, ['[', '{', '- ', ': ', '"', '\n', '---\n', '&a', '*a', '\t', '0', '~'])
  return pick(random, [
    text.slice(0, at) + text.slice(end),
    text.slice(0, end) + text.slice(at),
    text.slice(0, at) + token + text.slice(at),
    text.slice(0, at) + token + text.slice(end),
  ])
}

for (const format of ['yaml', 'json'] as const) {
  test(`no ${format} text makes it throw, and what it gives is whole`, () => {
    const random = randomFrom(7)
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', labels: { a: 'b' } },
      spec: { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], ports: [{ port: 80 }] },
    }
    const list = { apiVersion: 'v1', kind: 'List', items: [service] }
    const start = format === 'json' ? JSON.stringify(list) : stringify(list) + stringify(service)
    for (let round = 0; round < 200; round++) {
      let text = start
      for (let n = below(random, 6); n >= 0; n--) text = mutate(text, random)
      const { objects, faults } = readManifest(text, format)
      for (const { id, row, line } of objects) {
        assert.match(id, /^\w+ \S+$/)
        assert.equal(typeof (row ?? {}), 'object')
        assert.ok(line >= 1)
      }
      for (const { message, line } of faults) {
        assert.match(message, /^Cannot (parse|use) /)
        assert.ok(line >= 1)
      }
    }
  })
}
