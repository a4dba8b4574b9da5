// Which of Kubernetes' tests run: what a dry run lists, less what e2e-skips.yaml names, in chunks
// that each end within minutes, so that an interrupted run keeps what it has. Pure.
import { parse } from 'yaml'
import { fullName, type Outcomes, testsOf } from './e2e-report.ts'

export interface Spec {
  readonly name: string
  /** The outermost container without its SIG: "Services". */
  readonly group: string
}

/** A rule of e2e-skips.yaml: tests that cannot run here, or cannot pass yet. */
export interface SkipRule {
  readonly pattern: RegExp
  readonly reason: string
}

export interface Plan {
  readonly run: readonly Spec[]
  readonly skipped: readonly { readonly spec: Spec; readonly rule: SkipRule }[]
}

export interface Chunk {
  /** Names its reports. */
  readonly name: string
  readonly specs: readonly Spec[]
}

const SIG = '[sig-network] '

/** Throws with the rule that is none. */
export function parseSkips(text: string): SkipRule[] {
  const rules = parse(text) as unknown
  if (!Array.isArray(rules)) throw new Error('Cannot read the skips: must be a list')
  return rules.map((rule: { pattern?: unknown; reason?: unknown }, index) => {
    const { pattern, reason } = rule
    if (typeof pattern !== 'string' || typeof reason !== 'string') {
      throw new Error(`Cannot read the skips: rule ${index + 1} needs a pattern and a reason`)
    }
    return { pattern: new RegExp(pattern), reason }
  })
}

/** The [sig-network] tests of a dry run's report, sorted by name. */
export function parseDryRun(report: string): Spec[] {
  return testsOf(report)
    .map((test) => {
      const group = (test.ContainerHierarchyTexts?.[0] ?? '').slice(SIG.length)
      return { name: fullName(test), group }
    })
    .filter(({ name }) => name.startsWith(SIG))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The first rule that matches counts. Throws when a rule matches nothing: it is out of date. */
export function planRun(specs: readonly Spec[], rules: readonly SkipRule[]): Plan {
  const idle = rules.find(({ pattern }) => !specs.some(({ name }) => pattern.test(name)))
  if (idle) throw new Error(`Cannot plan: no test matches ${idle.pattern.source}: remove the rule`)
  const skipped: { spec: Spec; rule: SkipRule }[] = []
  const run: Spec[] = []
  for (const spec of specs) {
    const rule = rules.find(({ pattern }) => pattern.test(spec.name))
    if (rule) skipped.push({ spec, rule })
    else run.push(spec)
  }
  return { run, skipped }
}

/** What a resumed run has left: all but what passed, for what skipped itself asks the cluster. */
export function remaining(specs: readonly Spec[], outcomes: Outcomes): Spec[] {
  return specs.filter(({ name }) => outcomes[name]?.state !== 'passed')
}

/** Chunks of one group each. */
export function chunksOf(specs: readonly Spec[], size: number): Chunk[] {
  const chunks: Chunk[] = []
  for (const [group, members] of Map.groupBy(specs, (spec) => spec.group)) {
    const base = group.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
    for (let at = 0; at < members.length; at += size) {
      const name = `${base.replace(/^-|-$/g, '')}-${at / size + 1}`
      chunks.push({ name, specs: members.slice(at, at + size) })
    }
  }
  return chunks
}

/** A regular expression of Go that matches exactly these tests. */
export function focusOf(specs: readonly Spec[]): string {
  const names = specs.map(({ name }) => name.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return `(${names.join('|')})$`
}
