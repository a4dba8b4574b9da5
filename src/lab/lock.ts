// One change of a lab at a time: two commands that both write lab.json would lose each other's
// pods.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { labPaths } from './paths.ts'
import { identify, isAlive, type ProcessIdentity } from './processes.ts'

/**
 * Runs work while no other process changes the lab. Throws if one does; a dead one's lock is
 * taken.
 */
export async function withLock<Result>(lab: string, work: () => Promise<Result>): Promise<Result> {
  const { lock } = labPaths(lab)
  const holder = readHolder(lock)
  if (holder && isAlive(holder)) {
    throw new Error(`Cannot change lab ${lab}: process ${holder.pid} is changing it`)
  }
  rmSync(lock, { force: true })
  mkdirSync(dirname(lock), { recursive: true })
  writeFileSync(lock, JSON.stringify(identify(process.pid)), { flag: 'wx' })
  try {
    return await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity
  } catch {
    return undefined
  }
}
