// `weir install-cni`: puts the CNI plugin on a host, as the DaemonSet's first step. The plugin may
// be running while it is replaced, so the new one is renamed into place.
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { Command } from 'commander'
import { print } from './output.ts'

const BUILT = resolve(import.meta.dirname, '..', '..', 'native', 'out', 'weir-cni')

export function installCniCommand(): Command {
  return new Command('install-cni')
    .description('put the CNI plugin into a directory of the host')
    .option('--bin-dir <dir>', "the runtime's directory of plugins", '/opt/cni/bin')
    .action(({ binDir }: { binDir: string }) => print(`Placed ${placePlugin(BUILT, binDir)}`))
}

/** Copies a program into a directory by rename; its path there. */
export function placePlugin(program: string, directory: string): string {
  const path = join(directory, basename(program))
  const temporary = join(directory, `.${basename(program)}.new`)
  mkdirSync(directory, { recursive: true })
  rmSync(temporary, { force: true })
  copyFileSync(program, temporary)
  chmodSync(temporary, 0o755)
  renameSync(temporary, path)
  return path
}
