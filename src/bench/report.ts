// The bench's rows for people, as text and as the Markdown of README.md.
import { getBorderCharacters, table } from 'table'
import type { BenchRow } from './measure.ts'

const HEAD = ['name', 'value', 'unit', 'beside', 'its value', 'ratio', 'target']

/** What design says a ratio (or, for `<= n ms`, a value) should reach; shown beside it. */
const TARGETS: Readonly<Record<string, string>> = {
  'same-node.tcp-rr.latency-us': '<= 1.05x',
  'same-node.tcp-stream.gbps': '>= 0.97x',
  'cross-node-vxlan.tcp-rr.latency-us': '<= 1.13x',
  'cross-node-vxlan.tcp-stream.gbps': '>= 0.88x',
  'cross-node-native.tcp-rr.latency-us': '<= 1.08x',
  'cross-node-native.tcp-stream.gbps': '>= 0.90x',
  'service-socket.tcp-rr.latency-us': '<= 1.02x',
  'service-packet.tcp-rr.latency-us': '<= 1.05x',
  'cni.add.p50-ms': '<= 10 ms',
  'cni.add.p99-ms': '<= 30 ms',
  'program.from_pod.established-ipv4.ns': '<= 120 ns more',
}

function cells(row: BenchRow): string[] {
  return [
    row.name,
    significant(row.value),
    row.unit,
    row.reference,
    significant(row.referenceValue),
    `${row.ratio.toFixed(3)}x`,
    TARGETS[row.name] ?? '',
  ]
}

function significant(value: number): string {
  return value >= 1000 ? value.toFixed(0) : value.toPrecision(3)
}

/** Aligned columns for a terminal. */
export function formatRows(rows: readonly BenchRow[]): string {
  return aligned([HEAD, ...rows.map(cells)], [1, 4, 5])
}

/** A Markdown table, as README.md shows it. */
export function formatMarkdown(rows: readonly BenchRow[]): string {
  return markdown([HEAD, ...rows.map(cells)])
}

/** One figure in a table whose columns are ways or subjects. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly column: string
  readonly value: number
}

/** A line for each name, a column for each way or subject, in order of appearance. */
export function formatFigures(figures: readonly Figure[], format: { markdown?: boolean }): string {
  const columns = [...new Set(figures.map(({ column }) => column))]
  const lines = [...Map.groupBy(figures, ({ name }) => name)].map(([name, group]) => [
    name,
    group[0]?.unit ?? '',
    ...columns.map((each) => {
      const figure = group.find(({ column }) => column === each)
      return figure ? significant(figure.value) : ''
    }),
  ])
  const rows = [['name', 'unit', ...columns], ...lines]
  return format.markdown
    ? markdown(rows)
    : aligned(
        rows,
        [...columns.keys()].map((at) => at + 2),
      )
}

function aligned(rows: readonly string[][], right: readonly number[]): string {
  return table(rows as string[][], {
    border: getBorderCharacters('void'),
    drawHorizontalLine: () => false,
    columnDefault: { paddingLeft: 0, paddingRight: 2 },
    columns: Object.fromEntries(right.map((at) => [at, { alignment: 'right' as const }])),
  }).trimEnd()
}

function markdown([head = [], ...rows]: readonly string[][]): string {
  const lines = [head, head.map(() => '---'), ...rows]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}
