// The rules about words, names and what must be there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentFlags, compareLists, documentedNames, dropReasons } from '../../support/tidy/docs.ts'
import {
  bpfFilesHaveLicense,
  bpfNamesAreShort,
  filesOpenWithComment,
  noBannedNames,
  noMachines,
  nothingUnfinished,
  roomsHaveReadme,
} from '../../support/tidy/words.ts'

const file = (path: string, text: string) => ({ path, text })
const UNFINISHED = 'TO' + 'DO'

test('noBannedNames() looks at paths and declarations, word by word', () => {
  for (const [path, text] of [
    ['src/net/utils.ts', ''],
    ['src/common/a.ts', ''],
    ['src/net/a.ts', 'export function readInfo() {}'],
    ['src/net/a.ts', 'export interface PodData {}'],
    ['src/net/a.ts', 'const podManager = 1'],
  ] as const) {
    assert.equal(noBannedNames([file(path, text)]).length, 1, `${path} ${text}`)
  }
  const fine = 'const database = 1\nconst IFLA_INFO_KIND = 1\nexport function utilization() {}'
  assert.deepEqual(noBannedNames([file('src/datapath/a.ts', fine)]), [])
})

test('nothingUnfinished() finds marks as whole words, in any tracked file', () => {
  assert.equal(nothingUnfinished([file('docs/a.md', `a\n${UNFINISHED}: b`)]).length, 1)
  assert.deepEqual(nothingUnfinished([file('a.ts', `const ${UNFINISHED}LIST = 1`)]), [])
})

test('noMachines() finds paths and hosts of a machine, and not parts of other paths', () => {
  for (const text of [
    '/home/me/weir',
    // In parts, for the rule reads this file as well.
    ['"', 'work', 'a"'].join('/'),
    'see /root/x',
    'https://registry.example.org/',
  ]) {
    assert.equal(noMachines([file('src/a.ts', text)]).length, 1, text)
  }
  for (const text of ['../work/a', 'a/home/b', '$(dir)/root/x', '.github/work/a']) {
    assert.deepEqual(noMachines([file('src/a.ts', text)]), [], text)
  }
})

test('filesOpenWithComment() allows #! and SPDX before, and nothing else', () => {
  for (const text of [
    '// What.\n',
    '#!/usr/bin/env node\n// What.\n',
    '/* SPDX-License-Identifier: GPL-2.0 */\n/* What. */\n',
  ]) {
    assert.deepEqual(filesOpenWithComment([file('a.ts', text)]), [])
  }
  assert.equal(filesOpenWithComment([file('a.ts', "import a from 'a'\n// What.\n")]).length, 1)
  const onlyLicense = '/* SPDX-License-Identifier: GPL-2.0 */\n#pragma once\n'
  assert.equal(filesOpenWithComment([file('bpf/a.h', onlyLicense)]).length, 1)
})

test('roomsHaveReadme() wants a README with every heading in every room', () => {
  const headings = 'What it is,How state moves,Files,Looking inside,Testing,Decisions'
  const readme = headings
    .split(',')
    .map((heading) => `\n## ${heading}\n`)
    .join('')
  const files = ['bpf', 'native', 'src/net'].map((room) => file(`${room}/README.md`, readme))
  assert.deepEqual(roomsHaveReadme(files), [])
  assert.deepEqual(roomsHaveReadme([...files, file('src/cni/a.ts', '')]), [
    'src/cni has no README.md',
  ])
  const short = file('src/cni/README.md', readme.replace('## Testing', '## Tests'))
  assert.deepEqual(roomsHaveReadme([...files, short]), [
    'src/cni/README.md has no heading "## Testing"',
  ])
})

test('bpfNamesAreShort() measures maps and programs', () => {
  const map = (name: string) => `struct {\n} ${name} SEC(".maps");`
  const program = (name: string) => `SEC("tc")\nint ${name}(struct __sk_buff *skb)\n{\n}`
  for (const form of [map, program]) {
    assert.deepEqual(bpfNamesAreShort([file('bpf/a.bpf.c', form('fifteen_letters'))]), [])
    assert.equal(bpfNamesAreShort([file('bpf/a.bpf.c', form('sixteen__letters'))]).length, 1)
  }
})

test('bpfFilesHaveLicense() wants the dual license first', () => {
  const line = '/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */\n'
  assert.deepEqual(bpfFilesHaveLicense([file('bpf/lib/a.h', line)]), [])
  assert.equal(bpfFilesHaveLicense([file('bpf/lib/a.h', `\n${line}`)]).length, 1)
})

test('compareLists() finds what is only on one side', () => {
  const page = '# Page\n\n| name | what |\n|---|---|\n| `a` | x |\n| `c` | `d` |\n'
  assert.deepEqual(documentedNames(page), ['a', 'c'])
  assert.deepEqual(compareLists('page', ['a', 'c'], ['a', 'b']), [
    'page does not list "b"',
    'page lists "c", which does not exist',
  ])
})

test('dropReasons() and agentFlags() read the sources they are written for', () => {
  const header = 'enum drop_reason {\n\tDROP_NONE = 0,\n\tDROP_NO_ROUTE = 6,\t/* x */\n};\n'
  assert.deepEqual(dropReasons(header), ['no_route'])
  const config = "  { flag: 'node-name NAME', text: '' },\n  {\n    flag: 'mtu BYTES',\n"
  assert.deepEqual(agentFlags(config), ['--node-name', '--mtu'])
})
