// Manifests as people have them, and what is said about wrong ones.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { objectKey, readManifests, readText } from '../../../src/lab/manifests/read.ts'

function read(text: string): { keys: string[]; problems: string[] } {
  const problems: string[] = []
  const keys = readText(text, 'app.yaml', problems).map(objectKey)
  return { keys, problems }
}

test('readText() takes several documents, comments and empty ones between', () => {
  const { keys, problems } = read(
    [
      '# a comment first',
      '---',
      'apiVersion: v1',
      'kind: Namespace',
      'metadata: {name: shop}',
      '---',
      '# nothing here',
      '---',
      'apiVersion: apps/v1',
      'kind: Deployment',
      'metadata: {name: web, namespace: shop}',
    ].join('\n'),
  )
  assert.deepEqual(problems, [])
  assert.deepEqual(keys, ['Namespace /shop', 'Deployment shop/web'])
})

test('readText() takes a List as the API server gives it, and JSON', () => {
  const pod = (name: string): object => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name } })
  const list = { apiVersion: 'v1', kind: 'List', items: [pod('a'), pod('b')] }
  assert.deepEqual(read(JSON.stringify(list)).keys, ['Pod default/a', 'Pod default/b'])
  assert.deepEqual(read(JSON.stringify({ ...list, kind: 'PodList' })).keys.length, 2)
})

test('readText() names file and line of bad YAML', () => {
  const { problems } = read('apiVersion: v1\nkind: Pod\nmetadata:\n  name: "web\n')
  assert.equal(problems.length, 1)
  assert.match(problems[0] ?? '', /^Cannot read app\.yaml:[45]: /)
})

test('readText() names the line of a document that is no object of Kubernetes', () => {
  const { problems } = read(
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n' +
      'hello: world\n---\napiVersion: v1\nkind: Pod\n',
  )
  assert.deepEqual(problems, [
    'Cannot read app.yaml:5: it has no kind or no apiVersion',
    'Cannot read app.yaml:7: this Pod has no metadata.name',
  ])
})

test('readManifests() reads a directory in order of names and tells all problems at once', () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-lab-test-'))
  try {
    writeFileSync(join(directory, '2.yaml'), 'apiVersion: v1\nkind: Pod\nmetadata: {name: b}\n')
    writeFileSync(join(directory, '1.yml'), 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n')
    writeFileSync(join(directory, 'README.md'), '# not a manifest')
    assert.deepEqual(readManifests([directory]).map(objectKey), ['Pod default/a', 'Pod default/b'])
    writeFileSync(join(directory, '3.yaml'), 'a: b: c')
    writeFileSync(join(directory, '4.yaml'), '- 1')
    assert.throws(() => readManifests([directory]), /3\.yaml:1: .*4\.yaml:1: /s)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('readManifests() says which file is not there', () => {
  assert.throws(
    () => readManifests(['/nowhere/app.yaml']),
    /Cannot read \/nowhere\/app\.yaml: there/,
  )
})
