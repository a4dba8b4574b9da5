// What is mounted, from the kernel's own table, and the lab's bpffs mounts.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { run } from './run.ts'

export interface Mount {
  readonly target: string
  readonly type: string
}

/** All mounts of this mount namespace, in order of mounting. */
export function listMounts(): Mount[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [, target = '', type = ''] = line.split(' ')
      // Spaces and the like are written as octal escapes.
      const text = target.replace(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      )
      return { target: text, type }
    })
}

/** Mounts a BPF file system; one already there is fine. */
export async function mountBpffs(path: string): Promise<void> {
  mkdirSync(path, { recursive: true })
  if (listMounts().some(({ target, type }) => target === path && type === 'bpf')) return
  await run(`mount bpffs at ${path}`, 'mount', ['-t', 'bpf', 'weir-lab', path])
}

/** Unmounts everything at and below a path, the deepest first. */
export async function unmountBelow(path: string): Promise<void> {
  const mounted = () =>
    listMounts()
      .map(({ target }) => target)
      .filter((target) => target === path || target.startsWith(`${path}/`))
  for (const target of mounted().reverse()) {
    // One mount can show twice, below a directory that was mounted over itself; it goes at once.
    if (!existsSync(target) || !mounted().includes(target)) continue
    await run(`unmount ${target}`, 'umount', ['-l', target])
  }
}
