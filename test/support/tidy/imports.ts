// Who may import whom: imports go down only, there are no cycles, barrels or default exports.
import { dirname, join } from 'node:path/posix'
import { isTypeScript, type Rule, type SourceFile } from './source-files.ts'

/**
 * Rooms of src/ and the rooms each may import, besides itself. `main` is src/*.ts. codegen is build
 * time; the datapath borrows its BTF reader to compare an object with the committed layouts.
 */
const GROUND = ['net', 'state', 'observe', 'libbpf', 'netlink']
const MIDDLE = ['tables', ...GROUND]
const NODE = ['kube', 'cni', 'control', 'datapath', 'api', 'health', 'masquerade']
const TOP = [...NODE, 'codegen', ...MIDDLE]
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  net: [],
  state: [],
  observe: [],
  libbpf: [],
  netlink: ['libbpf', 'net'],
  tables: ['net', 'state'],
  codegen: [],
  control: ['net', 'state', 'tables'],
  kube: MIDDLE,
  cni: MIDDLE,
  api: MIDDLE,
  masquerade: MIDDLE,
  health: MIDDLE,
  datapath: [...MIDDLE, 'codegen'],
  lab: TOP,
  cluster: [...TOP, 'lab'],
  bench: [...TOP, 'lab', 'cluster'],
  cli: [...TOP, 'lab', 'cluster', 'bench', 'main'],
  main: TOP,
}

interface Import {
  readonly from: string
  readonly to: string
}

/** Relative imports of every TypeScript file, resolved to paths. */
function importsOf(files: readonly SourceFile[]): Import[] {
  return files.filter(isTypeScript).flatMap(({ path, text }) =>
    [...text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, target = '']) => ({
      from: path,
      to: join(dirname(path), target),
    })),
  )
}

/** "net" for src/net/mac.ts, "main" for src/config.ts, undefined outside src/. */
function roomOf(path: string): string | undefined {
  const [top, room, rest] = path.split('/')
  if (top !== 'src') return undefined
  return rest === undefined ? 'main' : room
}

export const importsGoDown: Rule = (files) =>
  importsOf(files).flatMap(({ from, to }) => {
    const room = roomOf(from)
    const target = roomOf(to)
    if (room === undefined) return []
    if (target === undefined) return [`${from} imports ${to}: that is outside src/`]
    if (room === target || ALLOWED[room]?.includes(target)) return []
    const state = ALLOWED[room] ? `${room} may not import ${target}` : `room ${room} is unknown`
    return [`${from} imports ${to}: ${state}`]
  })

export const importsHaveExtensions: Rule = (files) =>
  importsOf(files)
    .filter(({ to }) => !/\.(ts|json)$/.test(to))
    .map(({ from, to }) => `${from} imports ${to}: imports carry the .ts extension`)

/** Names each cycle once, by its files in order. */
export const noCycles: Rule = (files) => {
  const graph = Map.groupBy(importsOf(files), ({ from }) => from)
  const finished = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) cycles.push(`cycle: ${[...trail.slice(at), path].join(' -> ')}`)
    if (at >= 0 || finished.has(path)) return
    for (const { to } of graph.get(path) ?? []) visit(to, [...trail, path])
    finished.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return cycles
}

export const noBarrels: Rule = (files) =>
  files
    .filter(isTypeScript)
    .flatMap(({ path, text }) => [
      ...(/(^|\/)index\.ts$/.test(path) ? [`${path} is named like a barrel`] : []),
      ...(/^export \*/m.test(text) ? [`${path} re-exports everything of another file`] : []),
    ])

export const noDefaultExports: Rule = (files) =>
  files
    .filter(isTypeScript)
    .filter(({ text }) => /^export default\b|^export \{[^}]*\bas default\b/m.test(text))
    .map(({ path }) => `${path} has a default export`)
