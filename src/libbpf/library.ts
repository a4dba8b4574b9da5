// libweir.so, loaded once per engine and path.
import { fileURLToPath } from 'node:url'
import { bindNative, type EngineName, type Native } from './engine.ts'

const BUILT = fileURLToPath(new URL('../../native/out/libweir.so', import.meta.url))

/** A loaded libweir.so. Use it on the main thread only: ffi-napi crashes in ending workers. */
export interface Library {
  readonly engine: EngineName
  readonly path: string
  readonly native: Native
}

const loaded = new Map<string, Library>()

/** Loads libweir.so, by default the one that `make -C native` builds. Throws when it cannot. */
export function openLibrary(options: { engine?: EngineName; path?: string } = {}): Library {
  const { engine = 'koffi', path = BUILT } = options
  const key = `${engine} ${path}`
  let library = loaded.get(key)
  if (library === undefined) {
    try {
      library = { engine, path, native: bindNative(engine, path) }
    } catch (cause) {
      throw new Error(`Cannot load ${path} through ${engine}: ${String(cause)}`, { cause })
    }
    loaded.set(key, library)
  }
  return library
}
