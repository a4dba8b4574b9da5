// Words and names that do not belong in the repository, and those that must be there.
import { basename } from 'node:path/posix'
import { isC, isGenerated, isTypeScript, linesOf, type Rule } from './source-files.ts'

const BANNED = ['utils', 'util', 'helpers', 'helper', 'common', 'misc', 'manager', 'data', 'info']

/** Files, directories and top-level declarations whose names say nothing. */
export const noBannedNames: Rule = (files) =>
  files.flatMap((file) => {
    const parts = file.path.split('/').map((part) => part.replace(/\..*/, ''))
    const inPath = parts.filter((part) => wordsOf(part).some((word) => BANNED.includes(word)))
    const declared = isTypeScript(file)
      ? [
          ...file.text.matchAll(
            /^(?:export )?(?:async )?(?:const|function\*?|class|interface|type) (\w+)/gm,
          ),
        ]
      : []
    const inCode = declared
      .map(([, name = '']) => name)
      // Constants in capitals are the kernel's names (IFLA_INFO_KIND), not ours.
      .filter((name) => name !== name.toUpperCase())
      .filter((name) => wordsOf(name).some((word) => BANNED.includes(word)))
    return [...inPath, ...inCode].map((name) => `${file.path}: "${name}" is a banned name`)
  })

/** "readInfo", "read_info" and "read-info" alike. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[\s_-]+/)
}

/** Marks of unfinished work. Written apart here, so that this file passes its own rule. */
const UNFINISHED = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`)

export const nothingUnfinished: Rule = (files) =>
  matchesByLine(files, UNFINISHED, 'says that work is unfinished')

/** Paths of one machine, and hosts that packages are fetched from. */
const MACHINES = new RegExp(
  [
    String.raw`(?<![\w.\]})>-])/(work|home|root|Users)/\w`,
    String.raw`\bregistry\.[\w-]+\.\w`,
    String.raw`\b(npmjs|nodesource|artifactory|jfrog)\.\w+/`,
  ].join('|'),
)

export const noMachines: Rule = (files) =>
  matchesByLine(
    files.filter(({ path }) => !path.startsWith('test/unit/tidy/')),
    MACHINES,
    'names a path or a host of one machine',
  )

function matchesByLine(
  files: Parameters<Rule>[0],
  pattern: RegExp,
  what: string,
): readonly string[] {
  return files
    .filter((file) => !isGenerated(file))
    .flatMap((file) =>
      linesOf(file).flatMap((line, index) =>
        pattern.test(line) ? [`${file.path}:${index + 1} ${what}: ${line.trim()}`] : [],
      ),
    )
}

/** Every code file opens with what it is; a #! line and the SPDX line may stand before. */
export const filesOpenWithComment: Rule = (files) =>
  files
    .filter((file) => isTypeScript(file) || isC(file))
    .filter((file) => {
      const first = linesOf(file).find((line) => !/^#!|SPDX-License-Identifier/.test(line)) ?? ''
      return !/^(\/\/ |\/\*)/.test(first)
    })
    .map(({ path }) => `${path} does not open with a comment that says what it is`)

export const bpfFilesHaveLicense: Rule = (files) =>
  files
    .filter((file) => file.path.startsWith('bpf/') && isC(file))
    .filter(({ text }) => !/^\/[/*] SPDX-License-Identifier: GPL-2\.0 OR BSD-2-Clause/.test(text))
    .map(({ path }) => `${path} does not open with its SPDX line, GPL-2.0 OR BSD-2-Clause`)

const HEADINGS = [
  'What it is',
  'How state moves',
  'Files',
  'Looking inside',
  'Testing',
  'Decisions',
]

/** Every room, and bpf/ and native/, has a README with the six headings. */
export const roomsHaveReadme: Rule = (files) => {
  const rooms = new Set(['bpf', 'native'])
  for (const { path } of files) {
    const [, room] = /^(src\/[^/]+)\//.exec(path) ?? []
    if (room) rooms.add(room)
  }
  return [...rooms].flatMap((room) => {
    const readme = files.find(({ path }) => path === `${room}/README.md`)
    if (!readme) return [`${room} has no README.md`]
    return HEADINGS.filter((heading) => !readme.text.includes(`\n## ${heading}\n`)).map(
      (heading) => `${room}/README.md has no heading "## ${heading}"`,
    )
  })
}

/** The kernel cuts names of programs and maps after 15 characters, and tools then show nonsense. */
export const bpfNamesAreShort: Rule = (files) =>
  files
    .filter((file) => file.path.startsWith('bpf/') && isC(file))
    .flatMap(({ path, text }) => {
      const maps = [...text.matchAll(/\}\s*(\w+)\s+SEC\("\.maps"\)/g)]
      const programs = [
        ...text.matchAll(/^SEC\("(?!\.maps|license)[^"]+"\)\s*\n?(?:static )?int (\w+)\(/gm),
      ]
      return [...maps, ...programs]
        .map(([, name = '']) => name)
        .filter((name) => name.length > 15)
        .map((name) => `${basename(path)}: "${name}" is longer than the kernel's 15 characters`)
    })
