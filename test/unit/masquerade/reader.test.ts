// The file of what is not masqueraded: its fields, its faults, and how it is followed.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseMasqueradeFile } from '../../../src/masquerade/ip-masq-agent.ts'
import { MasqueradeReader } from '../../../src/masquerade/reader.ts'
import { createTables } from '../../../src/tables/tables.ts'

const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10']

test('the file gives prefixes of both families, and link-local ones unless it says else', () => {
  const yaml = 'nonMasqueradeCIDRs:\n- 10.0.0.0/8\n- FD00::/8\nresyncInterval: 1m30s\n'
  assert.deepEqual(parseMasqueradeFile(yaml), {
    exclusions: ['10.0.0.0/8', 'fd00::/8', ...LINK_LOCAL],
    resyncMs: 90_000,
  })
  const json = JSON.stringify({
    nonMasqueradeCIDRs: ['10.0.0.0/8', '10.0.0.0/8'],
    masqLinkLocal: true,
    masqLinkLocalIPv6: true,
  })
  assert.deepEqual(parseMasqueradeFile(json), { exclusions: ['10.0.0.0/8'], resyncMs: 60_000 })
})

test('an empty file excludes what is link-local', () => {
  for (const text of ['', '{}', 'nonMasqueradeCIDRs: []', 'nonMasqueradeCIDRs:']) {
    assert.deepEqual(parseMasqueradeFile(text).exclusions, LINK_LOCAL)
  }
})

for (const [text, fault] of [
  ['- 10.0.0.0/8', 'it is no mapping'],
  [
    'nonMasqueradeCidrs: []',
    'field nonMasqueradeCidrs is unknown; ' +
      'there are nonMasqueradeCIDRs, masqLinkLocal, masqLinkLocalIPv6, resyncInterval',
  ],
  ['nonMasqueradeCIDRs: 10.0.0.0/8', 'nonMasqueradeCIDRs is no list'],
  [
    'nonMasqueradeCIDRs: [10.0.0.0]',
    'nonMasqueradeCIDRs[0] is "10.0.0.0"; give a prefix like 10.0.0.0/8',
  ],
  ['nonMasqueradeCIDRs: [7]', 'nonMasqueradeCIDRs[0] is 7; give a prefix like 10.0.0.0/8'],
  [
    'nonMasqueradeCIDRs: [fd00::1/8]',
    'nonMasqueradeCIDRs[0] is "fd00::1/8", which has host bits; fd00::/8 would be one',
  ],
  ['masqLinkLocal: yes', 'masqLinkLocal is yes; give true or false'],
  ['resyncInterval: 60', 'resyncInterval is 60; give a duration like 60s'],
  ['resyncInterval: 1ms', 'resyncInterval is 1ms; give a second or more'],
] as const) {
  test(`${JSON.stringify(text)} is refused in one sentence`, () => {
    assert.throws(() => parseMasqueradeFile(text), { message: fault })
  })
}

function start(t: TestContext, content?: string) {
  const directory = mkdtempSync(join(tmpdir(), 'weir-masquerade-'))
  const path = join(directory, 'config')
  if (content !== undefined) writeFileSync(path, content)
  const { masqueradeExclusions: exclusions } = createTables()
  const log = { info: () => {}, warn: () => {} } as never
  const reader = new MasqueradeReader({ path, exclusions, log })
  reader.start()
  t.after(() => {
    reader.stop()
    rmSync(directory, { recursive: true })
  })
  const rows = () => [...exclusions.rows()].map(({ prefix }) => prefix as string)
  const until = async (expected: readonly string[]) => {
    for (let n = 0; n < 200 && String(rows()) !== String(expected); n++) await sleep(10)
    assert.deepEqual(rows(), expected)
  }
  return { directory, path, exclusions, reader, rows, until }
}

test('without the setting nothing is excluded', () => {
  const { masqueradeExclusions: exclusions } = createTables()
  new MasqueradeReader({ path: undefined, exclusions, log: {} as never }).start()
  assert.deepEqual([exclusions.initialized, exclusions.size], [true, 0])
})

test('a file that is not there means what it means to ip-masq-agent, until it comes', async (t) => {
  const { path, rows, until } = start(t)
  const absent = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', ...LINK_LOCAL]
  assert.deepEqual(rows(), absent)
  writeFileSync(path, 'nonMasqueradeCIDRs: [10.0.0.0/8]')
  await until(['10.0.0.0/8', ...LINK_LOCAL])
})

test('a ConfigMap that is swapped is followed', async (t) => {
  const { directory, path, until } = start(t)
  const swap = (version: string, content: string) => {
    mkdirSync(join(directory, version))
    writeFileSync(join(directory, version, 'config'), content)
    symlinkSync(version, join(directory, '..data_tmp'))
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
  }
  swap('..1', 'masqLinkLocal: true')
  symlinkSync('..data/config', path)
  await until(['fe80::/10'])
  swap('..2', 'masqLinkLocalIPv6: true')
  await until(['169.254.0.0/16'])
})

test('bad content leaves the last good one, and says why', async (t) => {
  const { path, reader, until } = start(t, 'nonMasqueradeCIDRs: [10.0.0.0/8]')
  await until(['10.0.0.0/8', ...LINK_LOCAL])
  writeFileSync(path, 'nonMasqueradeCIDRs: [ten]')
  for (let n = 0; n < 200 && reader.problem === undefined; n++) await sleep(10)
  assert.equal(
    reader.problem,
    `Cannot use ${path} for masquerading: ` +
      'nonMasqueradeCIDRs[0] is "ten"; give a prefix like 10.0.0.0/8',
  )
  await until(['10.0.0.0/8', ...LINK_LOCAL])
  writeFileSync(path, '{}')
  await until(LINK_LOCAL)
  assert.equal(reader.problem, undefined)
})

test('bad content at the start does not count as an empty list', async (t) => {
  const { path, exclusions, until } = start(t, ': :')
  assert.equal(exclusions.initialized, false)
  writeFileSync(path, '{}')
  await until(LINK_LOCAL)
  assert.equal(exclusions.initialized, true)
})
