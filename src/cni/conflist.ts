// The network configuration list that the container runtime reads. Its appearance is what makes a
// node Ready, so it is written last, when pods can be taken, and by rename, so that nobody reads a
// half.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CAPABILITIES } from './wishes.ts'

/** Runtimes take the first by name. */
export const CONFLIST = '05-weir.conflist'

/** Where the plugin finds the agent, by the host's paths. */
export interface ConflistPlaces {
  readonly runDir: string
  readonly stateDir: string
}

/**
 * A runtime sends a capability only to a plugin that declares it. Those that know only `cniVersion`
 * get 1.0.0, newer ones choose from the list. Pure.
 */
export function conflistText({ runDir, stateDir }: ConflistPlaces): string {
  const capabilities = Object.fromEntries(CAPABILITIES.map((name) => [name, true]))
  const plugin = { type: 'weir-cni', capabilities, socket: join(runDir, 'weir.sock'), stateDir }
  const versions = { cniVersion: '1.0.0', cniVersions: ['1.0.0', '1.1.0'] }
  return `${JSON.stringify({ ...versions, name: 'weir', plugins: [plugin] }, null, 2)}\n`
}

/** Writes the list unless it is there already. Whether it was written. */
export function placeConflist(directory: string, places: ConflistPlaces): boolean {
  const path = join(directory, CONFLIST)
  const text = conflistText(places)
  if (readIfThere(path) === text) return false
  mkdirSync(directory, { recursive: true })
  // Runtimes look at .conf, .conflist and .json only.
  const temporary = `${path}.new`
  rmSync(temporary, { force: true })
  writeFileSync(temporary, text, { mode: 0o644 })
  renameSync(temporary, path)
  return true
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
