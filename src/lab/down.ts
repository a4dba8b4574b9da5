// Takes a lab down and leaves the machine as it was. It reads no record: processes are found by the
// lab's cgroup, namespaces by the journal, mounts by their place; so it also cleans up after a
// crash.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { removeCgroup } from './cgroups.ts'
import { unmountBelow } from './mounts.ts'
import { journaledNetns, removeNetns } from './namespaces.ts'
import { LABS_DIRECTORY, labPaths, MADE_NETNS_DIRECTORY, NETNS_DIRECTORY } from './paths.ts'
import { endProcess } from './processes.ts'
import { type LabRecord, readRecord } from './record.ts'

/** Removes everything of the lab; the absent is fine. Whether there was anything. */
export async function down(lab: string): Promise<boolean> {
  const paths = labPaths(lab)
  const existed = existsSync(paths.directory) || existsSync(paths.cgroup)
  await endRecorded(lab)
  await removeCgroup(paths.cgroup)
  await unmountBelow(paths.directory)
  for (const name of journaledNetns(paths)) await removeNetns(paths, name)
  rmSync(paths.directory, { recursive: true, force: true })
  removeEmptyDirectories()
  return existed
}

/**
 * Every process is in the lab's cgroup; the recorded ones are ended first, checked by start time.
 */
async function endRecorded(lab: string): Promise<void> {
  let record: LabRecord
  try {
    record = readRecord(lab)
  } catch {
    return
  }
  const recorded = [
    ...record.nodes.map(({ agent }) => agent),
    ...record.pods.map(({ server }) => server),
  ]
  await Promise.all(recorded.map((identity) => (identity ? endProcess(identity) : undefined)))
}

/** The last lab takes the shared directories with it, /run/netns only if a lab had made it. */
function removeEmptyDirectories(): void {
  if (!existsSync(LABS_DIRECTORY)) return
  const labs = readdirSync(LABS_DIRECTORY, { withFileTypes: true })
  if (labs.some((entry) => entry.isDirectory())) return
  const made = existsSync(MADE_NETNS_DIRECTORY)
  rmSync(LABS_DIRECTORY, { recursive: true })
  if (!made || !existsSync(NETNS_DIRECTORY) || readdirSync(NETNS_DIRECTORY).length > 0) return
  try {
    rmdirSync(NETNS_DIRECTORY)
  } catch {
    // `ip netns` has mounted it over itself meanwhile: then it is no longer ours to remove.
  }
}
