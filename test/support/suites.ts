// The suites that `make test` runs, in order: cheap checks first, then what needs no root, then
// what needs the kernel, one file at a time. A new directory under test/ is a root suite by
// itself.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

export interface CommandSuite {
  readonly kind: 'command'
  readonly name: string
  readonly command: readonly string[]
}

export interface FileSuite {
  readonly kind: 'files'
  readonly name: string
  readonly files: readonly string[]
  readonly root: boolean
  /** The longest that a file may take, where it is longer than others. */
  readonly timeoutMs?: number
}

export type Suite = CommandSuite | FileSuite

/** Directories that hold no suite of node:test files. */
const NOT_SUITES = ['support', 'native', 'fixtures']
const ROOTLESS = ['unit', 'script']
/** These first, for the rest stands on them. */
const ROOT_ORDER = ['libbpf', 'netlink', 'verifier', 'packet']
/** The last, for the longest: with an empty cache it builds Kubernetes. */
const CLUSTER = 'cluster'
const CLUSTER_TIMEOUT_MS = 3_600_000
const C_FILES = 'git ls-files -z -- "*.c" "*.h" | xargs -0 clang-format-19 --dry-run --Werror'

/** Every suite below `root`, the top of the repository. */
export function findSuites(root: string): Suite[] {
  const directories = readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !NOT_SUITES.includes(entry.name))
    .map(({ name }) => name)
  const rootful = directories
    .filter((name) => !ROOTLESS.includes(name) && name !== CLUSTER)
    .sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1))
  return [
    { kind: 'command', name: 'types', command: bin('tsc', '--noEmit') },
    { kind: 'command', name: 'lint', command: bin('biome', 'check', '--error-on-warnings') },
    { kind: 'command', name: 'format-c', command: ['sh', '-c', C_FILES] },
    {
      kind: 'command',
      name: 'layout',
      command: [process.execPath, 'src/codegen/main.ts', '--check'],
    },
    { kind: 'files', name: 'tidy', files: ['test/tidy.test.ts'], root: false },
    ...ROOTLESS.map((name) => fileSuite(root, name, false)),
    { kind: 'command', name: 'native', command: ['make', '-s', '-C', 'native', 'test'] },
    ...rootful.map((name) => fileSuite(root, name, true)),
    { ...fileSuite(root, CLUSTER, true), timeoutMs: CLUSTER_TIMEOUT_MS },
  ]
}

/** A program of node_modules, run with the node that runs us. */
function bin(name: string, ...args: readonly string[]): string[] {
  return [process.execPath, `node_modules/.bin/${name}`, ...args]
}

function order(name: string): number {
  const at = ROOT_ORDER.indexOf(name)
  return at < 0 ? ROOT_ORDER.length : at
}

function fileSuite(root: string, name: string, asRoot: boolean): FileSuite {
  const files = readdirSync(join(root, 'test', name), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join('test', name, file))
    .sort()
  return { kind: 'files', name, files, root: asRoot }
}
