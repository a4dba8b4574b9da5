// The maps that scripts compare: in memory for everybody, and the kernel's own for root.
import type { EntryMap } from '../../src/datapath/entry-map.ts'
import { KernelMap } from '../../src/datapath/entry-map.ts'
import * as layout from '../../src/datapath/layout.gen.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { BpfMap, type MapCreation } from '../../src/libbpf/map.ts'
import { MemoryMap } from '../support/memory-map.ts'

export interface ScriptMaps {
  readonly services: EntryMap<layout.ServiceKey, layout.Service>
  readonly backends: EntryMap<layout.BackendKey, layout.Backend>
  readonly sourceRanges: EntryMap<layout.SourceRangeKey, number>
  readonly destinations: EntryMap<layout.DestinationKey, layout.Destination>
  close(): void
}

export function createMemoryMaps(): ScriptMaps {
  return {
    services: new MemoryMap('services'),
    backends: new MemoryMap('backends'),
    sourceRanges: new MemoryMap('source_ranges'),
    destinations: new MemoryMap('destinations'),
    close: () => {},
  }
}

/**
 * Maps of the kernel, of the types and sizes that the programs declare; they end with close().
 * Needs root.
 */
export function createKernelMaps(): ScriptMaps {
  const library = openLibrary()
  const created: BpfMap[] = []
  const create = <K, V>(
    spec: (typeof layout.maps)['services' | 'backends' | 'sourceRanges' | 'destinations'],
  ) => {
    const map = BpfMap.create(library, {
      type: spec.type as MapCreation['type'],
      name: spec.name,
      keySize: spec.key.size,
      valueSize: spec.value.size,
      maxEntries: Math.min(spec.maxEntries, 4096),
      flags: spec.flags,
    })
    created.push(map)
    return new KernelMap<K, V>(map, spec as never)
  }
  return {
    services: create(layout.maps.services),
    backends: create(layout.maps.backends),
    sourceRanges: create(layout.maps.sourceRanges),
    destinations: create(layout.maps.destinations),
    close: () => {
      for (const map of created) map.close()
    },
  }
}
