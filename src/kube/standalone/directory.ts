// A directory of files and what is below it: walked whole at every look, watched to know when to
// look again. Events say only that something happened; so atomic renames, editors and swapped
// symlinks are all the same.
import { type BigIntStats, type FSWatcher, watch } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface FoundFile {
  /** Relative to the root. */
  readonly path: string
  /** Equal stamps: equal content. Undefined: written so recently that it cannot be told. */
  readonly stamp?: string
}

export interface Look {
  readonly files: readonly FoundFile[]
  /** Directories (relative, '' is the root) and files that could not be read, and why. */
  readonly unreadable: ReadonlyMap<string, string>
  /** Directories that cannot be watched, and why: changes there are seen at the next look. */
  readonly unwatched: ReadonlyMap<string, string>
}

interface Watched {
  readonly inode: string
  readonly watcher: FSWatcher
}

/**
 * Two writes within a clock tick leave one ctime, so a younger file may change without a new stamp.
 */
const YOUNG_MS = 100
const STATS_AT_ONCE = 128

export class Directory {
  readonly #root: string
  readonly #isWanted: (name: string) => boolean
  readonly #onEvent: () => void
  #watched = new Map<string, Watched>()

  /**
   * `isWanted` chooses files by name; `onEvent` hears of every change in a directory seen by
   * look().
   */
  constructor(root: string, isWanted: (name: string) => boolean, onEvent: () => void) {
    this.#root = root
    this.#isWanted = isWanted
    this.#onEvent = onEvent
  }

  /**
   * Walks everything; hidden names (also ConfigMaps' "..data") are passed over. Files sorted by
   * path.
   */
  async look(): Promise<Look> {
    const found = { files: [], unreadable: new Map(), unwatched: new Map() }
    const seen = new Set<string>()
    await this.#walk('', [], found, seen)
    for (const [path, { watcher }] of this.#watched) {
      if (seen.has(path)) continue
      watcher.close()
      this.#watched.delete(path)
    }
    return { ...found, files: (found.files as FoundFile[]).sort(byPath) }
  }

  close(): void {
    for (const { watcher } of this.#watched.values()) watcher.close()
    this.#watched.clear()
  }

  async #walk(
    path: string,
    above: readonly string[],
    found: { files: FoundFile[]; unreadable: Map<string, string>; unwatched: Map<string, string> },
    seen: Set<string>,
  ): Promise<void> {
    const absolute = join(this.#root, path)
    try {
      const inode = inodeOf(await stat(absolute, { bigint: true }))
      if (above.includes(inode)) return
      seen.add(path)
      // Watched before it is read: what changes in between is then an event and not a gap.
      const fault = this.#watch(path, inode)
      if (fault) found.unwatched.set(path, fault)
      const names = (await readdir(absolute)).filter((name) => !name.startsWith('.'))
      for (let at = 0; at < names.length; at += STATS_AT_ONCE) {
        const paths = names.slice(at, at + STATS_AT_ONCE).map((name) => join(path, name))
        const statuses = await Promise.all(paths.map((each) => this.#stat(each, found.unreadable)))
        for (const [n, each] of paths.entries()) {
          const status = statuses[n]
          if (status?.isDirectory()) await this.#walk(each, [...above, inode], found, seen)
          else if (status?.isFile() && this.#isWanted(each)) found.files.push(fileOf(each, status))
        }
      }
    } catch (error) {
      // Below the root, what is absent has just been removed.
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' || path === '') found.unreadable.set(path, message)
    }
  }

  /** Undefined for what vanished since it was listed and for symlinks to nowhere. */
  async #stat(path: string, unreadable: Map<string, string>): Promise<BigIntStats | undefined> {
    try {
      return await stat(join(this.#root, path), { bigint: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        unreadable.set(path, (error as Error).message)
      }
      return undefined
    }
  }

  /** Returns why it cannot. A path whose directory was replaced is watched anew. */
  #watch(path: string, inode: string): string | undefined {
    const before = this.#watched.get(path)
    if (before?.inode === inode) return undefined
    before?.watcher.close()
    this.#watched.delete(path)
    try {
      const watcher = watch(join(this.#root, path), () => this.#onEvent())
      watcher.on('error', () => this.#onEvent())
      this.#watched.set(path, { inode, watcher })
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }
}

/** With the time of birth, for a directory made anew often gets the number of the one removed. */
function inodeOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`
}

function fileOf(path: string, stats: BigIntStats): FoundFile {
  const { ctimeMs, ctimeNs, mtimeNs, size } = stats
  const ageMs = Date.now() - Number(ctimeMs)
  if (ageMs >= 0 && ageMs < YOUNG_MS) return { path }
  return { path, stamp: `${inodeOf(stats)} ${ctimeNs} ${mtimeNs} ${size}` }
}

function byPath(a: FoundFile, b: FoundFile): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0
}
