// `weir map`: the pinned maps, in the manner of bpftool but decoded; works without the agent.
import { Command } from 'commander'
import { toJson } from '../api/json.ts'
import type { ActualMapEntry } from '../tables/actual.ts'
import { openKernel } from './kernel.ts'
import { print, printJson, printTable } from './output.ts'
import { addTargetOptions, type TargetOptions } from './target.ts'

export function mapCommand(): Command {
  const command = new Command('map').description('the pinned maps')
  const list = command
    .command('list')
    .description('every map, with its shape and fill')
    .action(async (_options, self: Command) => listMaps(self.optsWithGlobals()))
  const dump = command
    .command('dump')
    .description('every entry of a map')
    .argument('<map>')
    .action(async (name: string, _options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const { inspect, inspected } = await openKernel(options)
      printEntries(inspect.dumpMap(inspected, name), options)
    })
  const get = command
    .command('get')
    .description('entries by fields of the key (address=10.0.1.5) or by its bytes in hex')
    .argument('<map>')
    .argument('<key...>')
    .action(async (name: string, key: readonly string[], _options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      printEntries(await getEntries(name, key, options), options)
    })
  for (const leaf of [list, dump, get]) addTargetOptions(leaf)
  return command
}

async function listMaps(options: TargetOptions): Promise<void> {
  const { inspect, inspected } = await openKernel(options)
  const maps = inspect.listMaps(inspected)
  if (maps.length === 0) {
    throw new Error(`Cannot list maps: nothing is pinned under ${inspected.bpfRoot}`)
  }
  if (options.json) {
    printJson(maps)
    return
  }
  printTable(
    ['NAME', 'ID', 'TYPE', 'KEY', 'VALUE', 'ENTRIES', 'ROOM', 'FILL'],
    maps.map(({ name, id, type, keySize, valueSize, entries, maxEntries }) => [
      ...[name, id, type, `${keySize} B`, `${valueSize} B`, entries ?? '-', maxEntries],
      entries === undefined ? '-' : `${((100 * entries) / maxEntries).toFixed(1)}%`,
    ]),
  )
}

async function getEntries(
  name: string,
  key: readonly string[],
  options: TargetOptions,
): Promise<ActualMapEntry[]> {
  const { inspect, inspected } = await openKernel(options)
  const wanted = fieldsOf(key)
  const found = wanted
    ? inspect.dumpMap(inspected, name).filter((entry) => hasFields(entry, wanted))
    : [inspect.getMapEntry(inspected, name, keyBytes(key))].filter((entry) => entry !== undefined)
  if (found.length > 0) return found
  throw new Error(`Cannot get ${key.join(' ')} of map ${name}: there is no such entry`)
}

/** ["address=10.0.1.5", "port=80"] as fields; undefined when the words are no fields. */
function fieldsOf(words: readonly string[]): readonly (readonly [string, string])[] | undefined {
  if (!words.some((word) => word.includes('='))) return undefined
  return words.map((word) => {
    const at = word.indexOf('=')
    if (at < 1) throw new Error(`Cannot read key "${word}": not of the form field=value`)
    return [word.slice(0, at), word.slice(at + 1)]
  })
}

function hasFields(
  { key }: ActualMapEntry,
  wanted: readonly (readonly [string, string])[],
): boolean {
  return wanted.every(([name, value]) => {
    if (!(name in key)) {
      const known = Object.keys(key).join(', ') || 'none'
      throw new Error(`Cannot read key field "${name}": the fields are ${known}`)
    }
    return String(key[name]) === value
  })
}

/** "0a 00 01 05", "0x0a000105" or any mix, as bpftool takes it. */
function keyBytes(words: readonly string[]): Uint8Array {
  const hex = words.map((word) => word.replace(/^0x/, '')).join('')
  if (!/^([0-9a-fA-F]{2})+$/.test(hex)) {
    throw new Error(`Cannot read key "${words.join(' ')}": neither field=value nor bytes in hex`)
  }
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

function printEntries(entries: readonly ActualMapEntry[], { json }: TargetOptions): void {
  if (json) {
    printJson(entries)
    return
  }
  for (const { key, value, keyHex, valueHex } of entries) {
    print(`key    ${describe(key, keyHex)}`)
    print(`value  ${describe(value, valueHex)}\n`)
  }
  print(`${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}`)
}

/** "address=10.0.1.5 port=80"; bytes in hex where the layout is not known. */
function describe(fields: Readonly<Record<string, unknown>>, hex: string): string {
  const texts = Object.entries(fields).map(([name, value]) => {
    return `${name}=${typeof value === 'object' ? toJson(value) : String(value)}`
  })
  return texts.length > 0 ? texts.join(' ') : hex.replace(/(..)(?=.)/g, '$1 ')
}
