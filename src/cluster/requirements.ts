// What a machine must have for a cluster, looked at before anything is made.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { listMounts } from '../lab/mounts.ts'
import { runAnyway } from '../lab/run.ts'
import { checkGo, PROGRAMS } from './build.ts'
import { CONTROLLERS, cacheDirectory, clusterPaths, kubernetesCache } from './paths.ts'

const COMMANDS = ['apt-get', 'curl', 'openssl', 'ip', 'nsenter', 'unshare']

/** What keeps a cluster from being built here, or nothing. */
export async function findLack(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it needs root'
  if (existsSync(clusterPaths().directory)) return 'there is one (weir cluster down)'
  const controllers = missingControllers()
  if (controllers.length > 0) {
    return `cgroup version 1 is not mounted for ${controllers.join(', ')}`
  }
  for (const name of COMMANDS) {
    const { code } = await runAnyway('sh', ['-c', 'command -v "$0"', name])
    if (code !== 0) return `there is no ${name}`
  }
  const { bin } = kubernetesCache(cacheDirectory())
  if (Object.keys(PROGRAMS).every((name) => existsSync(join(bin, name)))) return undefined
  return checkGo().then(
    () => undefined,
    (error: Error) => error.message,
  )
}

/** On a machine with version 2 alone their directories would be cgroups of version 2. */
function missingControllers(): string[] {
  const mounts = listMounts().filter(({ type }) => type === 'cgroup')
  return CONTROLLERS.filter((each) => {
    return !mounts.some(({ target }) => target === `/sys/fs/cgroup/${each}`)
  })
}
