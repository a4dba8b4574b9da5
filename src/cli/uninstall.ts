// `weir uninstall`: takes everything of Weir off this node. Pods lose their network, so it refuses
// while an agent is there that would put things back.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { Command, Option } from 'commander'
import type { Places } from './leftovers.ts'
import { print, printJson } from './output.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

interface UninstallOptions extends TargetOptions {
  readonly stateDir: string
  readonly runDir: string
  readonly cniConfDir: string
  readonly cniBinDir: string
  readonly cgroupRoot: string
  readonly verify?: boolean
}

const LOOKED =
  'Looked for interfaces, routes, pins, programs on devices and cgroups, state, the plugin and\n' +
  'its configuration. Weir makes no rules of nftables or iptables.'

export function uninstallCommand(): Command {
  const command = new Command('uninstall')
    .description('remove interfaces, routes, programs, maps and files of Weir from this node')
    .option('--state-dir <dir>', "the agent's state directory", '/var/lib/weir')
    .option('--run-dir <dir>', "the agent's run directory", '/run/weir')
    .option('--cni-conf-dir <dir>', 'directory of the conflist', '/etc/cni/net.d')
    .option('--cni-bin-dir <dir>', 'directory of the CNI plugin', '/opt/cni/bin')
    .addOption(
      new Option('--cgroup-root <dir>', 'root of the cgroup2 hierarchy')
        .default('/sys/fs/cgroup')
        .env('WEIR_CGROUP_ROOT'),
    )
    .option('--verify', 'remove nothing; name what is there, exit 1 if anything is')
    .action(async (_options, self: Command) => uninstall(self.optsWithGlobals()))
  return addTargetOptions(command)
}

async function uninstall(options: UninstallOptions): Promise<void> {
  if (options.labNode !== undefined) {
    const way = 'use "weir lab down", or "weir lab exec NODE -- weir uninstall"'
    throw new Error(`Cannot uninstall from outside a lab's node: ${way}`)
  }
  const { socket, bpfRoot } = await findTarget(options)
  const { stateDir, runDir, cniConfDir, cniBinDir, cgroupRoot } = options
  const places = { bpfRoot, stateDir, runDir, cniConfDir, cniBinDir, cgroupRoot }
  const { openLibrary } = await import('../libbpf/library.ts')
  const library = openLibrary()
  const { findLeftovers } = await import('./leftovers.ts')
  if (!options.verify) {
    if (await answers(socket)) {
      throw new Error(`Cannot uninstall: an agent answers on ${socket}, stop it first`)
    }
    const { removeAll } = await import('../datapath/remove.ts')
    await removeCniFiles(places)
    removeAll({ library, bpfRoot })
    await removeFiles(places)
  }
  report(findLeftovers(library, places), options)
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}

/** The runtime begins no pod without it. */
async function removeCniFiles(places: Places): Promise<void> {
  const { ownCniFiles } = await import('./leftovers.ts')
  for (const path of ownCniFiles(places)) rmSync(path, { force: true })
}

/** Only what is ours; a directory goes when nothing else is in it. */
async function removeFiles(places: Places): Promise<void> {
  const { ownFiles } = await import('./leftovers.ts')
  for (const path of ownFiles(places)) rmSync(path, { recursive: true, force: true })
  for (const directory of [places.stateDir, places.runDir]) removeEmpty(directory)
}

/** Mount points stay: in a container the directories are volumes of a root that is read-only. */
function removeEmpty(directory: string): void {
  if (!existsSync(directory) || readdirSync(directory).length > 0) return
  try {
    rmdirSync(directory)
  } catch (error) {
    if (!['EBUSY', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

function report(left: readonly string[], { json, verify }: UninstallOptions): void {
  if (json) printJson(left)
  else if (left.length > 0) print(left.join('\n'))
  else print(verify ? `Nothing of Weir is here.\n${LOOKED}` : 'Weir is removed from this node.')
  if (left.length > 0) process.exitCode = 1
}
