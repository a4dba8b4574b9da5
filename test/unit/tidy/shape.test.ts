// The rules about sizes, at their edges.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filesAreShort, functionsAreShort, linesAreShort } from '../../support/tidy/shape.ts'

const file = (path: string, lines: readonly string[]) => ({ path, text: `${lines.join('\n')}\n` })
const repeat = (count: number, line = '  a()') => Array.from({ length: count }, () => line)

test('filesAreShort() takes 300 lines and not one more, but any generated file', () => {
  assert.deepEqual(filesAreShort([file('src/a.ts', repeat(300))]), [])
  assert.deepEqual(filesAreShort([file('src/a.ts', repeat(301))]), [
    'src/a.ts has 301 lines, above 300',
  ])
  assert.deepEqual(filesAreShort([file('src/a.gen.ts', repeat(301))]), [])
})

test('linesAreShort() counts columns: a tab in C is eight', () => {
  assert.deepEqual(linesAreShort([file('src/a.ts', ['x'.repeat(100)])]), [])
  assert.equal(linesAreShort([file('src/a.ts', ['x'.repeat(101)])]).length, 1)
  assert.equal(linesAreShort([file('bpf/a.h', [`\t${'x'.repeat(93)}`])]).length, 1)
  assert.deepEqual(linesAreShort([file('bpf/a.h', [`ab\t${'x'.repeat(92)}`])]), [])
})

test('functionsAreShort() measures every form of function', () => {
  for (const head of [
    'export async function a(): Promise<void> {',
    'function* a() {',
    '  async #a(b: string): Promise<void> {',
    '  static open(path: string) {',
    'export const a = (b: string): string => {',
    '  readonly a = (): void => {',
    '  get a(): number {',
  ]) {
    const end = `${/^ */.exec(head)?.[0] ?? ''}}`
    const body = (count: number) => [file('src/a.ts', [head, ...repeat(count, '    a()'), end])]
    assert.deepEqual(functionsAreShort(body(68)), [], head)
    assert.equal(functionsAreShort(body(69)).length, 1, head)
  }
})

test('functionsAreShort() counts from the head to its own brace, not to an inner one', () => {
  const lines = [
    'function a() {',
    ...repeat(40),
    '  if (b) {',
    ...repeat(40, '    c()'),
    '  }',
    '}',
  ]
  assert.deepEqual(functionsAreShort([file('src/a.ts', lines)]), [
    'src/a.ts:1 is a function of 84 lines, above 70',
  ])
})

test('functionsAreShort() leaves blocks, classes and lists of tests alone', () => {
  const long = (head: string, inner = '  a()') =>
    functionsAreShort([file('test/a.test.ts', [head, ...repeat(80, inner), '}'])])
  for (const head of ['class A {', 'interface A {', 'if (a) {', 'for (const a of b) {']) {
    assert.deepEqual(long(head), [], head)
  }
  assert.deepEqual(long('function tests() {', "  test('a', () => {})"), [])
})

test('functionsAreShort() measures C functions by their lone braces', () => {
  const body = (count: number) => [
    file('bpf/a.bpf.c', ['int from_pod(struct __sk_buff *skb)', '{', ...repeat(count), '}']),
  ]
  assert.deepEqual(functionsAreShort(body(68)), [])
  assert.equal(functionsAreShort(body(69)).length, 1)
  const struct = ['struct a = (', ')', 'struct b', '{', ...repeat(80), '};']
  assert.deepEqual(functionsAreShort([file('bpf/a.h', struct)]), [])
})
