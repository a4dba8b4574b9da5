// What commands print: aligned tables for people, JSON for programs.
import { getBorderCharacters, table } from 'table'
import { toJson } from '../api/json.ts'

export function printJson(value: unknown): void {
  process.stdout.write(`${toJson(value, 2)}\n`)
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Columns by header; a row gives one cell per header. */
export function printTable(
  headers: readonly string[],
  rows: readonly (readonly (string | number | bigint)[])[],
): void {
  process.stdout.write(formatTable([headers, ...rows]))
}

/** Name and value pairs, aligned; pairs without a value are left out. */
export function printFields(fields: readonly (readonly [string, string])[]): void {
  process.stdout.write(formatTable(fields.filter(([, value]) => value !== '')))
}

/** Aligned text without borders or trailing spaces; cells may have several lines. */
export function formatTable(rows: readonly (readonly (string | number | bigint)[])[]): string {
  if (rows.length === 0) return ''
  const text = table(
    rows.map((row) => row.map((cell) => String(cell))),
    {
      border: getBorderCharacters('void'),
      columnDefault: { paddingLeft: 0, paddingRight: 2 },
      drawHorizontalLine: () => false,
    },
  )
  return text.replace(/ +$/gm, '')
}

/** "3 s", "5 min", "2.5 h": as exact as people need. */
export function formatAge(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1)} h`
  return `${Math.round(seconds / 86_400)} days`
}

/** The first `show` of a list, and how many more there are. */
export function formatList(items: readonly string[], show = 4): string {
  const rest = items.length - show
  return rest > 0 ? `${items.slice(0, show).join(', ')} (+${rest})` : items.join(', ')
}
