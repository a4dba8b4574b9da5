// The house rules, as a test over every tracked file. The rules have tests of their own in
// test/unit/tidy/.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { buildProgram, leafPaths } from '../src/cli/command-line.ts'
import { COMMANDS } from '../src/cli/commands.ts'
import { agentFlags, compareLists, documentedNames, dropReasons } from './support/tidy/docs.ts'
import {
  importsGoDown,
  importsHaveExtensions,
  noBarrels,
  noCycles,
  noDefaultExports,
} from './support/tidy/imports.ts'
import { filesAreShort, functionsAreShort, linesAreShort } from './support/tidy/shape.ts'
import { type Rule, readRepository } from './support/tidy/source-files.ts'
import {
  bpfFilesHaveLicense,
  bpfNamesAreShort,
  filesOpenWithComment,
  noBannedNames,
  noMachines,
  nothingUnfinished,
  roomsHaveReadme,
} from './support/tidy/words.ts'

process.chdir(new URL('..', import.meta.url).pathname)
const FILES = readRepository()

const RULES: Readonly<Record<string, Rule>> = {
  'imports go down': importsGoDown,
  'imports carry their extension': importsHaveExtensions,
  'no import cycles': noCycles,
  'no barrels': noBarrels,
  'no default exports': noDefaultExports,
  'no banned names': noBannedNames,
  'files are at most 300 lines': filesAreShort,
  'functions are at most 70 lines': functionsAreShort,
  'lines are at most 100 columns': linesAreShort,
  'every file opens with a comment': filesOpenWithComment,
  'every room has its README': roomsHaveReadme,
  'nothing is unfinished': nothingUnfinished,
  'no paths or hosts of a machine': noMachines,
  'BPF names fit the kernel': bpfNamesAreShort,
  'BPF files carry their license': bpfFilesHaveLicense,
}

for (const [name, rule] of Object.entries(RULES)) {
  test(name, () => holds(rule(FILES)))
}

test('docs/cli.md lists every command', async () => {
  const existing = leafPaths(await buildProgram(COMMANDS)).map((path) => `weir ${path}`)
  holds(compareLists('docs/cli.md', documentedNames(read('docs/cli.md'), 'weir [^`]+'), existing))
})

test('docs/drop-reasons.md lists every drop reason', () => {
  const documented = documentedNames(read('docs/drop-reasons.md'), '[a-z_]+')
  const existing = dropReasons(read('bpf/lib/drop.h'))
  holds(compareLists('docs/drop-reasons.md', documented, existing))
})

test('docs/operations.md lists every setting of the agent', () => {
  const documented = documentedNames(read('docs/operations.md'), '--[a-z-]+')
  holds(compareLists('docs/operations.md', documented, agentFlags(read('src/config.ts'))))
})

function read(path: string): string {
  return readFileSync(path, 'utf8')
}

function holds(violations: readonly string[]): void {
  assert.equal(violations.length, 0, `\n${violations.join('\n')}`)
}
