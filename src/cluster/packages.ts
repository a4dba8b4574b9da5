// Programs and libraries of Debian, unpacked into the cache and not installed: nothing starts and
// the machine's own packages stay as they are.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lab/run.ts'

/** What nodes run beside the kubelet. */
export const NODE_PACKAGES = ['containerd', 'runc', 'containernetworking-plugins'] as const

/** Downloads and unpacks the packages (not what they depend on) once; the directory they are in. */
export async function unpackPackages(cache: string, names: readonly string[]): Promise<string> {
  const digest = createHash('sha256').update(names.join(' ')).digest('hex').slice(0, 12)
  const root = join(cache, 'debian', digest)
  if (existsSync(root)) return root
  const building = `${root}.new`
  const archives = `${root}.debs`
  for (const directory of [building, archives]) {
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory, { recursive: true })
  }
  const script = 'cd "$0" && apt-get -qq download "$@"'
  const options = { timeoutMs: 600_000 }
  await run(`download ${names.join(', ')}`, 'sh', ['-c', script, archives, ...names], options)
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
    await run(`unpack ${file}`, 'dpkg-deb', ['-x', join(archives, file), building])
  }
  rmSync(archives, { recursive: true })
  renameSync(building, root)
  return root
}

/** The packages and everything that they depend on, sorted. */
export async function withDependencies(names: readonly string[]): Promise<string[]> {
  const left = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances']
  const flags = ['depends', '--recurse', ...left.map((each) => `--no-${each}`)]
  const text = await run('find dependencies', 'apt-cache', [...flags, ...names])
  return [...new Set(text.split('\n').filter((line) => /^[a-z0-9]/.test(line)))].sort()
}
