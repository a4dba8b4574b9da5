// `weir lab exec`: a command inside a pod or a node of the lab, in its namespace and its cgroup.
import { exitOf, type Place, startIn } from './place.ts'
import { type LabRecord, podKey, readRecord } from './record.ts'

/**
 * A pod by "namespace/name" or by a name that is unique, or a node by name. Throws naming
 * candidates.
 */
export function findPlace(lab: LabRecord, target: string): Place {
  const node = lab.nodes.find(({ name }) => name === target)
  if (node) return node
  const pods = lab.pods.filter((pod) => podKey(pod) === target || pod.name === target)
  const [pod] = pods
  if (pod && pods.length === 1) return pod
  if (pods.length > 1) {
    const candidates = pods.map(podKey).join(', ')
    throw new Error(`Cannot choose ${target}: it may be ${candidates}`)
  }
  const names = [...lab.nodes.map(({ name }) => name), ...lab.pods.map(podKey)]
  throw new Error(`Cannot find ${target}: the lab has ${names.join(', ')}`)
}

/** Runs the command with this terminal; its exit code. */
export async function execIn(
  name: string,
  target: string,
  command: readonly string[],
): Promise<number> {
  const lab = readRecord(name)
  const place = findPlace(lab, target)
  // The terminal sends its interrupts to the command too; it decides.
  const ignore = (): void => {}
  process.on('SIGINT', ignore)
  try {
    return await exitOf(startIn(place, command))
  } finally {
    process.off('SIGINT', ignore)
  }
}
