// Runs golden scripts as tests: actions in order, each expectation compared after everything
// settled. UPDATE=1 writes what is seen into the scripts instead.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ScriptMaps } from './maps.ts'
import { formatScript, parseScript, type Script, type Section } from './script.ts'
import { parseSettings, World } from './world.ts'

const CASES = join(import.meta.dirname, 'cases')

/**
 * A test for each script; every one must end with empty tables and maps once its manifests are
 * gone.
 */
export function runScripts(createMaps: () => ScriptMaps): void {
  for (const file of readdirSync(CASES).sort()) {
    const path = join(CASES, file)
    const script = parseScript(readFileSync(path, 'utf8'))
    test(`${file}: ${script.about.split('\n')[0]}`, async () => {
      const seen = await runScript(script, createMaps())
      if (process.env['UPDATE']) writeFileSync(path, formatScript(seen))
      else assert.equal(formatScript(seen), formatScript(script))
    })
  }
}

/** The script with every expectation replaced by what was seen. */
async function runScript(script: Script, maps: ScriptMaps): Promise<Script> {
  const settings = script.sections.find(({ head }) => head === 'settings')?.body ?? ''
  const world = new World(maps, parseSettings(settings))
  try {
    const sections: Section[] = []
    for (const section of script.sections) sections.push(await runSection(section, world))
    world.removeAll()
    await world.settle()
    for (const left of ['frontends', 'destinations', 'nodeRoutes', 'maps']) {
      assert.equal(world.show(left), '', `${left} must be empty when the manifests are gone`)
    }
    return { ...script, sections }
  } finally {
    await world.close()
  }
}

async function runSection(section: Section, world: World): Promise<Section> {
  const [verb = '', first = '', second = ''] = section.head.split(' ')
  switch (verb) {
    case 'settings':
      return section
    case 'write':
      world.write(first, section.body)
      return section
    case 'rename':
      world.rename(first, second)
      return section
    case 'remove':
      world.remove(first)
      return section
    default:
      await world.settle()
      return { ...section, body: world.show(verb) }
  }
}
