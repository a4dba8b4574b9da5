// The conflist appears whole, and is left alone when it is right.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { placePlugin } from '../../../src/cli/install-cni.ts'
import { CONFLIST, conflistText, placeConflist } from '../../../src/cni/conflist.ts'

const PLACES = { runDir: '/run/weir', stateDir: '/var/lib/weir' }

function inDirectory(work: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'weir-conflist-'))
  try {
    work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test('placeConflist() writes one file by rename, once', () => {
  inDirectory((directory) => {
    const nested = join(directory, 'net.d')
    assert.equal(placeConflist(nested, PLACES), true)
    assert.deepEqual(readdirSync(nested), [CONFLIST])
    const before = statSync(join(nested, CONFLIST), { bigint: true })
    assert.equal(placeConflist(nested, PLACES), false)
    assert.equal(statSync(join(nested, CONFLIST), { bigint: true }).ino, before.ino)
  })
})

test('placeConflist() replaces an older one, and what a crash left', () => {
  inDirectory((directory) => {
    writeFileSync(join(directory, CONFLIST), '{}')
    writeFileSync(join(directory, `${CONFLIST}.new`), 'half')
    assert.equal(placeConflist(directory, PLACES), true)
    assert.equal(readFileSync(join(directory, CONFLIST), 'utf8'), conflistText(PLACES))
    assert.deepEqual(readdirSync(directory), [CONFLIST])
  })
})

test('conflistText() names the plugin, its places and the versions it speaks', () => {
  const conflist = JSON.parse(conflistText(PLACES))
  assert.deepEqual(conflist.cniVersions, ['1.0.0', '1.1.0'])
  const capabilities = { portMappings: true, bandwidth: true, mac: true, ips: true, dns: true }
  const places = { socket: '/run/weir/weir.sock', stateDir: '/var/lib/weir' }
  assert.deepEqual(conflist.plugins, [{ type: 'weir-cni', capabilities, ...places }])
})

test('placePlugin() replaces a program by rename and leaves nothing beside it', () => {
  inDirectory((directory) => {
    const program = join(directory, 'program')
    writeFileSync(program, 'one')
    const bin = join(directory, 'bin')
    const path = placePlugin(program, bin)
    const before = statSync(path, { bigint: true })
    writeFileSync(program, 'two')
    placePlugin(program, bin)
    assert.equal(readFileSync(path, 'utf8'), 'two')
    assert.notEqual(statSync(path, { bigint: true }).ino, before.ino)
    assert.equal(statSync(path).mode & 0o777, 0o755)
    assert.deepEqual(readdirSync(bin), ['program'])
  })
})
