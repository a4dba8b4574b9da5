// Loads the datapath's object afresh, onto the maps that are pinned already: programs are
// replaced at every start, state stays. Nothing is attached here (hooks.ts), so a failed load
// changes no packet.
import type { Logger } from 'pino'
import { btfHash } from '../codegen/layout.ts'
import type { Library } from '../libbpf/library.ts'
import { BpfMap } from '../libbpf/map.ts'
import { BpfObject, type MapSpec } from '../libbpf/object.ts'
import * as layout from './layout.gen.ts'
import { mapPinName, type PinDirectory } from './pins.ts'

export interface LoadOptions {
  readonly library: Library
  /** Path of the compiled object. */
  readonly object: string
  readonly config: layout.Config
  /** Entries that maps have room for, by name; the others as compiled. */
  readonly maxEntries: Readonly<Record<string, number>>
  readonly maps: PinDirectory
  readonly log: Logger
}

/** What goes with a map that had to be replaced, for the person who reads the warning. */
const LOST: Readonly<Record<string, string>> = {
  flows: 'established connections: translated ones break, others are decided again',
  embryos: 'connections not answered yet',
  metrics: 'packet and drop counters',
  recent: 'what weir policy what-if knows of the last minutes',
  endpoints: 'nothing that is not written again at once',
  destinations: 'nothing that is not written again at once',
  services: 'nothing that is not written again at once',
  backends: 'nothing that is not written again at once',
  policy: 'what policies allow, until they are written again: isolated pods are closed so long',
  pod_policies: 'which pods are isolated, until it is written again: they are open so long',
}

/** The loaded object; its maps are pinned. Close it only with the process. */
export function loadObject(options: LoadOptions): BpfObject {
  const { library, object: path, config, maps, log } = options
  const object = BpfObject.open(library, path)
  const hash = btfHash(object.btf())
  if (hash !== layout.OBJECT_HASH) {
    throw new Error(
      `Cannot load ${path}: its layout is ${hash}, this agent was built for ${layout.OBJECT_HASH}`,
    )
  }
  for (const [map, entries] of Object.entries(options.maxEntries)) {
    object.setMaxEntries(map, entries)
  }
  setConfig(object, config)
  maps.create()
  const fresh: string[] = []
  const reused: BpfMap[] = []
  for (const spec of object.maps) {
    // Constants are of these programs alone, never shared with the next ones.
    if (spec.name.startsWith('.rodata')) continue
    const held = openReusable(library, spec, maps, log)
    if (!held) {
      fresh.push(spec.name)
      continue
    }
    object.reuseMap(spec.name, held.fd)
    reused.push(held)
  }
  object.load()
  for (const map of reused) map.close()
  // Only now: a load that fails leaves the pins as they were.
  for (const name of fresh) {
    maps.remove(mapPinName(name))
    object.map(name).pin(maps.path(mapPinName(name)))
  }
  return object
}

function setConfig(object: BpfObject, config: layout.Config): void {
  const { section, offset, size } = layout.globals.config
  const bytes = object.initialData(section)
  bytes.set(layout.config.toBytes(config), offset)
  if (size !== layout.config.size) throw new Error('Cannot set the config: its size is unknown')
  object.setData(section, bytes)
}

/** The pinned map of this spec, unless it has another shape: then a new one takes its place. */
function openReusable(
  library: Library,
  spec: MapSpec,
  maps: PinDirectory,
  log: Logger,
): BpfMap | undefined {
  const name = mapPinName(spec.name)
  if (!maps.has(name)) return undefined
  const held = BpfMap.openPinned(library, maps.path(name))
  const differs = difference(held, spec)
  if (!differs) return held
  held.close()
  log.warn({ map: name, differs, lost: LOST[name] ?? 'its content' }, 'Replacing a pinned map')
  return undefined
}

/** "value size 104, now 112", or undefined when a map fits. */
function difference(held: BpfMap, spec: MapSpec): string | undefined {
  const pairs: [string, number | string, number | string][] = [
    ['type', held.type, spec.type],
    ['key size', held.keySize, spec.keySize],
    ['value size', held.valueSize, spec.valueSize],
    ['max entries', held.maxEntries, spec.maxEntries],
    ['flags', held.flags, spec.flags],
  ]
  const differing = pairs.filter(([, was, now]) => was !== now)
  if (differing.length === 0) return undefined
  return differing.map(([what, was, now]) => `${what} ${was}, now ${now}`).join('; ')
}
