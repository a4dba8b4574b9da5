// How long things may be. Functions are found by their indentation, which the formatters guarantee.
import {
  isC,
  isGenerated,
  isTypeScript,
  linesOf,
  type Rule,
  type SourceFile,
} from './source-files.ts'

const MAX_FILE_LINES = 300
const MAX_FUNCTION_LINES = 70
const MAX_COLUMNS = 100
const TAB = 8

const isCode = (file: SourceFile): boolean =>
  (isTypeScript(file) || isC(file)) && !isGenerated(file)

export const filesAreShort: Rule = (files) =>
  files
    .filter(isCode)
    .map((file) => ({ path: file.path, count: linesOf(file).length }))
    .filter(({ count }) => count > MAX_FILE_LINES)
    .map(({ path, count }) => `${path} has ${count} lines, above ${MAX_FILE_LINES}`)

export const linesAreShort: Rule = (files) =>
  files.filter(isCode).flatMap((file) =>
    linesOf(file).flatMap((line, index) => {
      const columns = widthOf(line)
      if (columns <= MAX_COLUMNS) return []
      return [`${file.path}:${index + 1} has ${columns} columns, above ${MAX_COLUMNS}`]
    }),
  )

function widthOf(line: string): number {
  let columns = 0
  for (const character of line) columns += character === '\t' ? TAB - (columns % TAB) : 1
  return columns
}

export const functionsAreShort: Rule = (files) =>
  files.filter(isCode).flatMap((file) => {
    const lines = linesOf(file)
    const heads = lines.flatMap((line, index) => {
      const isHead = isC(file) ? isBodyInC(line, lines[index - 1]) : isHeadInTypeScript(line)
      return isHead ? [index] : []
    })
    return heads.flatMap((head) => {
      const count = lengthFrom(lines, head)
      if (count <= MAX_FUNCTION_LINES) return []
      // A function that only declares tests is a list, not a function that is too long.
      if (lines.slice(head, head + count).some((line) => /^\s+(test|it)\(/.test(line))) return []
      return [
        `${file.path}:${head + 1} is a function of ${count} lines, above ${MAX_FUNCTION_LINES}`,
      ]
    })
  })

/** A body in kernel style: a lone brace after the line that ends the parameters. */
function isBodyInC(line: string, before: string | undefined): boolean {
  return line === '{' && before !== undefined && before.endsWith(')')
}

const BLOCKS =
  /^\s*(\}?\s*(if|for|while|switch|else|catch|try|finally|do|class|interface|return)\b)/

/**
 * Declarations, methods, and arrows given to a name; callbacks of calls (describe, test) are not.
 */
function isHeadInTypeScript(line: string): boolean {
  if (!line.endsWith('{') || BLOCKS.test(line)) return false
  if (/\bfunction\b/.test(line)) return true
  if (/=> \{$/.test(line))
    return /^\s*(export )?(const|let|readonly|static|[#\w]+ =|\w+:)/.test(line)
  return /^\s+(static |async |get |set |private |override )*[*#]?\w+(<.*>)?\(.*\)(: .*)? \{$/.test(
    line,
  )
}

/** Lines from a head to the first closing brace with its indentation. */
function lengthFrom(lines: readonly string[], head: number): number {
  const indent = /^\s*/.exec(lines[head] ?? '')?.[0] ?? ''
  const end = lines.findIndex((line, index) => index > head && line.startsWith(`${indent}}`))
  return end < 0 ? 0 : end - head + 1
}
