// Loading the library: errors that say what to do, and ffi-napi only when it is asked for.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { openLibrary } from '../../src/libbpf/library.ts'
import { ENGINES } from './workshop.ts'

const LIBRARY = join(import.meta.dirname, '../../src/libbpf/library.ts')

for (const engine of ENGINES) {
  test(`${engine}: openLibrary() answers the same library twice`, () => {
    assert.equal(openLibrary({ engine }), openLibrary({ engine }))
    assert.equal(openLibrary({ engine }).engine, engine)
  })

  test(`${engine}: openLibrary() names the file it cannot load`, () => {
    const message = new RegExp(`^Cannot load /absent/libweir.so through ${engine}: `)
    assert.throws(() => openLibrary({ engine, path: '/absent/libweir.so' }), { message })
  })
}

test('koffi alone does not load ffi-napi', () => {
  const script = `
    import { openLibrary } from ${JSON.stringify(LIBRARY)}
    import { readFileSync } from 'node:fs'
    openLibrary({ engine: process.argv[1] })
    console.log(/ffi_bindings|ffi-napi/.test(readFileSync('/proc/self/maps', 'utf8')))
  `
  const loads = (engine: string) => {
    const argv = ['--input-type=module', '-e', script, engine]
    return spawnSync(process.execPath, argv, { encoding: 'utf8' }).stdout.trim()
  }
  assert.equal(loads('koffi'), 'false')
  assert.equal(loads('ffi-napi'), 'true')
})
