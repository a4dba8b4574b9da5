// What is documented and what exists must be the same list, in both directions.

/** Names in the first column of the tables of a page: | `name` | ... */
export function documentedNames(markdown: string, pattern = '[^`]+'): string[] {
  const rows = new RegExp(`^\\| \`(${pattern})\``, 'gm')
  return [...markdown.matchAll(rows)].map(([, name = '']) => name)
}

/** One violation per name that is only on one side. */
export function compareLists(
  page: string,
  documented: readonly string[],
  existing: readonly string[],
): string[] {
  return [
    ...existing
      .filter((name) => !documented.includes(name))
      .map((name) => `${page} does not list "${name}"`),
    ...documented
      .filter((name) => !existing.includes(name))
      .map((name) => `${page} lists "${name}", which does not exist`),
  ]
}

/** Drop reasons of bpf/lib/drop.h as metrics and events name them: "no_route". */
export function dropReasons(header: string): string[] {
  const [, body = ''] = /enum drop_reason \{([^}]*)\}/.exec(header) ?? []
  return [...body.matchAll(/\bDROP_(\w+)\s*=/g)]
    .map(([, name = '']) => name.toLowerCase())
    .filter((name) => name !== 'none')
}

/** Flags of src/config.ts: "--node-name". */
export function agentFlags(config: string): string[] {
  return [...config.matchAll(/\bflag: '([a-z-]+) /g)].map(([, name = '']) => `--${name}`)
}
