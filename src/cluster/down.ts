// Takes the cluster down and leaves nothing, also after a crash: processes are found by their
// cgroup, and namespaces, mounts and links end with the processes that hold them.
import { existsSync, rmSync } from 'node:fs'
import { removeCgroup } from '../lab/cgroups.ts'
import { listMounts } from '../lab/mounts.ts'
import { runAnyway } from '../lab/run.ts'
import { CLUSTER, CONTROLLERS, clusterCgroup, clusterPaths, controllerCgroup } from './paths.ts'

/** Removes all of the cluster but what is cached. Whether there was anything. */
export async function down(): Promise<boolean> {
  const { directory } = clusterPaths()
  const roots = [clusterCgroup(), ...CONTROLLERS.map((each) => controllerCgroup(each, ''))]
  const existed = [directory, ...roots].some((path) => existsSync(path))
  for (const root of roots) await removeCgroup(root)
  // A namespace lives on while connections of dead processes wait for answers, minutes at times.
  await runAnyway('ip', ['link', 'delete', CLUSTER])
  refuseMounts(directory)
  rmSync(directory, { recursive: true, force: true })
  return existed
}

/** A mount below would have its content deleted; there is none unless a person made it. */
function refuseMounts(directory: string): void {
  const mount = listMounts().find(({ target }) => target.startsWith(`${directory}/`))
  if (mount) throw new Error(`Cannot remove ${directory}: ${mount.target} is mounted`)
}
