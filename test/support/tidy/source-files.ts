// The repository as the rules of tidy see it: tracked files with their text. A rule is a function
// from files to violations, each one line that names the file, so that rules can be tested with
// made-up files.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

export interface SourceFile {
  /** From the top of the repository: "src/net/mac.ts". */
  readonly path: string
  readonly text: string
}

export type Rule = (files: readonly SourceFile[]) => readonly string[]

const TEXT = /\.(ts|c|h|md|json|ya?ml|sh)$|(^|\/)(Makefile|Dockerfile|\.ci\/run)$/

/** Every tracked text file. */
export function readRepository(): SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' }).split('\0')
  return listed
    .filter((path) => TEXT.test(path) && existsSync(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
}

export function isGenerated({ path }: SourceFile): boolean {
  return path.endsWith('.gen.ts')
}

export function isTypeScript({ path }: SourceFile): boolean {
  return path.endsWith('.ts')
}

export function isC({ path }: SourceFile): boolean {
  return /\.[ch]$/.test(path)
}

export function linesOf({ text }: SourceFile): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}
