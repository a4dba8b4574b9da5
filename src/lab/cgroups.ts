// The lab's part of the machine's cgroup2 tree. Every process of the lab lives in it, which is what
// makes clean-up after a crash certain: membership cannot be mistaken for somebody else's pid.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { listMounts } from './mounts.ts'
import { waitUntil } from './processes.ts'

/** Where cgroup2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside version 1. */
export function cgroupMount(): string {
  const mount = listMounts().find(({ type }) => type === 'cgroup2')
  if (!mount) throw new Error('Cannot find cgroup2: it is not mounted on this machine')
  return mount.target
}

export function makeCgroup(path: string): void {
  mkdirSync(path, { recursive: true })
}

/** Pids of a cgroup and of all below it. */
export function cgroupPids(path: string): number[] {
  return cgroupsBelow(path).flatMap((group) => {
    const text = unlessGone(() => readFileSync(join(group, 'cgroup.procs'), 'utf8')) ?? ''
    return text.split('\n').filter(Boolean).map(Number)
  })
}

/** What is read of a cgroup; undefined when it went meanwhile (ENODEV: while its file was open). */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENODEV') return undefined
    throw error
  }
}

/** Kills whatever lives at and below the cgroup and removes it. The absent is fine. */
export async function removeCgroup(path: string): Promise<void> {
  if (!existsSync(path)) return
  await waitUntil(() => {
    killMembers(path)
    return cgroupPids(path).length === 0
  }, 10_000)
  // An empty cgroup may stay busy for a moment after its last process has ended.
  for (const group of cgroupsBelow(path).reverse()) {
    const removed = await waitUntil(() => tryRemove(group), 5000)
    if (!removed) throw new Error(`Cannot remove cgroup ${group}: it is still in use`)
  }
}

function tryRemove(group: string): boolean {
  try {
    rmdirSync(group)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

function killMembers(path: string): void {
  const kill = join(path, 'cgroup.kill')
  if (existsSync(kill)) {
    writeFileSync(kill, '1')
    return
  }
  for (const pid of cgroupPids(path)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself.
    }
  }
}

/** The cgroup and its descendants, parents first. */
function cgroupsBelow(path: string): string[] {
  const entries = unlessGone(() => readdirSync(path, { withFileTypes: true }))
  if (!entries) return []
  const children = entries
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => cgroupsBelow(join(path, entry.name)))
  return [path, ...children]
}
