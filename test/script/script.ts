// The format of a golden script: sections headed "-- verb argument --". Actions change manifests,
// the others state what must be seen then. Lines before the first section say what the script is
// about.

export interface Section {
  /** "write web.yaml", "frontends". */
  readonly head: string
  readonly body: string
}

export interface Script {
  readonly about: string
  readonly sections: readonly Section[]
}

const HEAD = /^-- (.+) --$/

export function parseScript(text: string): Script {
  const about: string[] = []
  const sections: { head: string; lines: string[] }[] = []
  for (const line of text.split('\n')) {
    const head = HEAD.exec(line)?.[1]
    if (head !== undefined) sections.push({ head, lines: [] })
    else (sections.at(-1)?.lines ?? about).push(line)
  }
  return {
    about: about.join('\n').trim(),
    sections: sections.map(({ head, lines }) => ({ head, body: trim(lines.join('\n')) })),
  }
}

/** The mirror of parseScript, in the one way scripts are laid out. */
export function formatScript({ about, sections }: Script): string {
  const parts = sections.map(({ head, body }) => `-- ${head} --\n${body === '' ? '' : `${body}\n`}`)
  return `${about}\n\n${parts.join('\n')}`
}

/** Without empty lines at either end. */
function trim(text: string): string {
  return text.replace(/^\n+|\s+$/g, '')
}
