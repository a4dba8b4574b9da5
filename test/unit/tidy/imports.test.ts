// The rules about imports, each with a file that breaks it and one that does not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  importsGoDown,
  importsHaveExtensions,
  noBarrels,
  noCycles,
  noDefaultExports,
} from '../../support/tidy/imports.ts'

const file = (path: string, text: string) => ({ path, text })
const imports = (path: string, ...targets: string[]) =>
  file(path, targets.map((target) => `import { a } from '${target}'\n`).join(''))

test('importsGoDown() allows down and inside, refuses up, across and out', () => {
  assert.deepEqual(importsGoDown([imports('src/kube/a.ts', '../tables/b.ts', './c.ts')]), [])
  assert.deepEqual(importsGoDown([imports('src/main.ts', './kube/a.ts', './cni/b.ts')]), [])
  for (const [from, to] of [
    ['src/net/a.ts', '../tables/b.ts'],
    ['src/kube/a.ts', '../datapath/b.ts'],
    ['src/control/a.ts', '../observe/b.ts'],
    ['src/cni/a.ts', '../main.ts'],
    ['src/cni/a.ts', '../../test/support/b.ts'],
    ['src/newroom/a.ts', '../net/b.ts'],
  ] as const) {
    assert.equal(importsGoDown([imports(from, to)]).length, 1, `${from} imports ${to}`)
  }
})

test('importsGoDown() sees exports, types, dynamic imports and several lines', () => {
  for (const text of [
    "export { a } from '../datapath/b.ts'",
    "import type { a } from '../datapath/b.ts'",
    "const a = await import('../datapath/b.ts')",
    "type A = import('../datapath/b.ts').A",
    "import {\n  a,\n  b,\n} from '../datapath/b.ts'",
  ]) {
    assert.equal(importsGoDown([file('src/kube/a.ts', text)]).length, 1, text)
  }
})

test('importsHaveExtensions() wants .ts', () => {
  assert.deepEqual(importsHaveExtensions([imports('src/net/a.ts', './b.ts')]), [])
  assert.equal(importsHaveExtensions([imports('src/net/a.ts', './b')]).length, 1)
})

test('noCycles() names a cycle once and leaves diamonds alone', () => {
  const diamond = [
    imports('src/a.ts', './b.ts', './c.ts'),
    imports('src/b.ts', './d.ts'),
    imports('src/c.ts', './d.ts'),
  ]
  assert.deepEqual(noCycles(diamond), [])
  assert.deepEqual(noCycles([...diamond, imports('src/d.ts', './b.ts')]), [
    'cycle: src/b.ts -> src/d.ts -> src/b.ts',
  ])
})

test('noBarrels() refuses index.ts and export *', () => {
  assert.equal(noBarrels([file('src/net/index.ts', '')]).length, 1)
  assert.equal(noBarrels([file('src/net/all.ts', "export * from './a.ts'")]).length, 1)
  assert.deepEqual(noBarrels([file('src/net/a.ts', "export { a } from './b.ts'")]), [])
})

test('noDefaultExports() refuses both forms', () => {
  assert.equal(noDefaultExports([file('a.ts', 'export default function a() {}')]).length, 1)
  assert.equal(noDefaultExports([file('a.ts', 'export { a as default }')]).length, 1)
  assert.deepEqual(noDefaultExports([file('a.ts', 'export const a = 1')]), [])
})
