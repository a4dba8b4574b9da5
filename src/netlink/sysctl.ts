// Sysctls, also of other network namespaces: /proc/sys/net shows each reader its own namespace, so
// a thread inside the namespace reads and writes.
import { existsSync } from 'node:fs'
import { check } from '../libbpf/errors.ts'
import type { Library } from '../libbpf/library.ts'

const LONGEST = 4096

/** The value without its newline. `name` is a path below /proc/sys: "net/ipv4/ip_forward". */
export function readSysctl(library: Library, name: string, netnsPath?: string): string {
  const bytes = Buffer.alloc(LONGEST)
  const path = sysctlPath(name)
  const { native } = library
  const answer = native.weir_netns_read(netnsPath ?? null, path, bytes, bytes.length)
  const length = check(answer, 'read', describe(name, netnsPath))
  return bytes.toString('utf8', 0, length).trimEnd()
}

/** `name` is a path below /proc/sys: "net/ipv4/conf/weir_host/rp_filter". */
export function writeSysctl(
  library: Library,
  name: string,
  value: string,
  netnsPath?: string,
): void {
  const bytes = Buffer.from(value)
  const path = sysctlPath(name)
  const { native } = library
  const answer = native.weir_netns_write(netnsPath ?? null, path, bytes, bytes.length)
  check(answer, `write ${value} to`, describe(name, netnsPath))
}

/** In a container /proc/sys is read-only; the DaemonSet mounts the host's part for networks. */
const ROOT = existsSync('/host/proc/sys/net') ? '/host/proc/sys' : '/proc/sys'

function sysctlPath(name: string): string {
  if (name.split('/').includes('..')) throw new Error(`Cannot use sysctl ${name}: not a sysctl`)
  return `${ROOT}/${name}`
}

function describe(name: string, netnsPath: string | undefined): string {
  return netnsPath === undefined ? `sysctl ${name}` : `sysctl ${name} in ${netnsPath}`
}
