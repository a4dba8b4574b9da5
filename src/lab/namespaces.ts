// Network namespaces by name under /run/netns, as `ip netns` keeps them. Each name is written to
// the lab's journal before the namespace is made, so that clean-up knows it after any crash.
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { unmountBelow } from './mounts.ts'
import { type LabPaths, NETNS_DIRECTORY, netnsPath } from './paths.ts'
import { run } from './run.ts'

/** Makes a namespace with `lo` down, as a runtime does. Throws if the name is taken. */
export async function makeNetns(paths: LabPaths, name: string): Promise<string> {
  const path = netnsPath(name)
  if (existsSync(path)) throw new Error(`Cannot make namespace ${name}: it exists already`)
  mkdirSync(NETNS_DIRECTORY, { recursive: true })
  mkdirSync(paths.netnsJournal, { recursive: true })
  closeSync(openSync(join(paths.netnsJournal, name), 'w'))
  closeSync(openSync(path, 'wx', 0o444))
  await run(`make namespace ${name}`, 'unshare', [`--net=${path}`, 'true'])
  return path
}

/** Removes a namespace and everything in it; the absent is fine. */
export async function removeNetns(paths: LabPaths, name: string): Promise<void> {
  await unmountBelow(netnsPath(name))
  rmSync(netnsPath(name), { force: true })
  rmSync(join(paths.netnsJournal, name), { force: true })
}

/** Every namespace the lab ever made and has not removed. */
export function journaledNetns(paths: LabPaths): string[] {
  return existsSync(paths.netnsJournal) ? readdirSync(paths.netnsJournal) : []
}

/** Runs lines of `ip -batch` inside a namespace, as one transaction of the program. */
export async function ipBatch(name: string, lines: readonly string[]): Promise<void> {
  const input = `${lines.join('\n')}\n`
  await run(`configure ${name}`, 'nsenter', [`--net=${netnsPath(name)}`, 'ip', '-batch', '-'], {
    input,
  })
}

/** Writes sysctls below /proc/sys/net inside a namespace; keys use '/'. */
export async function writeSysctls(
  name: string,
  values: Readonly<Record<string, string | number>>,
): Promise<void> {
  const script = Object.entries(values)
    .map(([key, value]) => `echo ${value} > /proc/sys/net/${key}`)
    .join(' && ')
  await run(`set sysctls in ${name}`, 'nsenter', [`--net=${netnsPath(name)}`, 'sh', '-c', script])
}

/** As `ip -json link` names things. */
export interface Link {
  readonly ifname: string
  readonly ifindex: number
  /** The other end of a cable, by its ifindex in its own namespace. */
  readonly link_index?: number
}

/** The interfaces of a namespace. */
export async function listLinks(name: string): Promise<Link[]> {
  const args = [`--net=${netnsPath(name)}`, 'ip', '-json', 'link']
  return JSON.parse(await run(`list the interfaces of ${name}`, 'nsenter', args)) as Link[]
}
