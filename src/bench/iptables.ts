// Debian's iptables and what goes with it, unpacked and not installed, for programs that run them:
// each has a directory of its own.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Debian chooses between two iptables by links that are made at installation; this is legacy. */
export function linkTools(root: string, directory: string): void {
  const bin = toolsIn(directory)
  rmSync(bin, { recursive: true, force: true })
  mkdirSync(bin, { recursive: true })
  for (const family of ['iptables', 'ip6tables']) {
    for (const verb of ['', '-save', '-restore']) {
      symlinkSync(join(root, 'usr/sbin/xtables-legacy-multi'), join(bin, `${family}${verb}`))
    }
  }
}

/** In which a program finds them, with a lock file of its own. */
export function toolEnvironment(root: string, directory: string): string[] {
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu')
  return [
    `PATH=${toolsIn(directory)}:${join(root, 'usr/sbin')}:${process.env['PATH'] ?? ''}`,
    `LD_LIBRARY_PATH=${libraries}`,
    `XTABLES_LIBDIR=${join(libraries, 'xtables')}`,
    `XTABLES_LOCKFILE=${join(directory, 'xtables.lock')}`,
  ]
}

function toolsIn(directory: string): string {
  return join(directory, 'bin')
}
