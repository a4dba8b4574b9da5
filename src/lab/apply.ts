// Makes a lab's pods and Services equal to what has been applied. Surplus pods leave the slices
// before they are removed; each step is recorded, so that a crash in between loses no pod.
import { addressFamily } from '../net/address.ts'
import { capabilitiesOf } from './cni.ts'
import { Notes } from './manifests/notes.ts'
import { type PlannedPod, planPods, WORKLOADS } from './manifests/plan.ts'
import { type KubeObject, objectKey } from './manifests/read.ts'
import { aimedPorts, type PlannedService, planServices } from './manifests/services.ts'
import { mergeObjects, readApplied, withoutObjects, writeApplied } from './objects.ts'
import { announcePod, createPod, removePod, restartServer } from './pods.ts'
import { isAlive } from './processes.ts'
import { AS_WRITTEN, publish } from './publish.ts'
import { type LabRecord, type PodRecord, podKey, readRecord, writeRecord } from './record.ts'
import { SERVICE_CIDRS } from './spec.ts'

export interface Applied {
  readonly created: readonly string[]
  readonly removed: readonly string[]
  /** Kinds and fields that the lab passes over. */
  readonly notes: readonly string[]
}

const UNDERSTOOD = new Set([...WORKLOADS, ...AS_WRITTEN, 'Service', 'Namespace'])
/** Pods plumbed at once; a runtime does about as many. */
const CONCURRENCY = 4

/** Adds or replaces objects. With `prune` everything else that was applied goes. */
export async function applyObjects(
  name: string,
  objects: readonly KubeObject[],
  { prune = false } = {},
): Promise<Applied> {
  const before = prune ? [] : readApplied(name).objects
  return await reconcileLab(name, mergeObjects(before, objects))
}

/** Removes objects; the absent is fine. */
export async function deleteObjects(
  name: string,
  objects: readonly KubeObject[],
): Promise<Applied> {
  return await reconcileLab(name, withoutObjects(readApplied(name).objects, objects))
}

/** Publishes what is there; for a new lab and after its nodes changed. */
export function publishLab(name: string): void {
  const { objects, services } = readApplied(name)
  publish(readRecord(name), services, objects)
}

async function reconcileLab(name: string, objects: readonly KubeObject[]): Promise<Applied> {
  let lab = readRecord(name)
  const notes = new Notes()
  for (const { kind } of objects) if (!UNDERSTOOD.has(kind)) notes.add(kind)
  const known = objects.filter(({ kind }) => UNDERSTOOD.has(kind))
  const services = planServices(known, readApplied(name).services, rangesOf(lab), notes)
  const planned = withAimedPorts(planPods(known, lab.nodes, lab.pods, notes), services)
  const wanted = new Map(planned.map((pod) => [podKey(pod), pod]))
  const keep = lab.pods.filter((pod) => isSamePod(pod, wanted.get(podKey(pod))))
  const surplus = lab.pods.filter((pod) => !keep.includes(pod))
  const kept = new Set(keep.map(podKey))
  const missing = planned
    .filter((pod) => !kept.has(podKey(pod)))
    .map((plan) => announcePod(lab, plan))

  writeApplied(name, { objects: known, services })
  const staying = keep.map((pod) => ({ ...pod, ...wanted.get(podKey(pod)) }))
  publish({ ...lab, pods: [...staying, ...missing] }, services, known)
  const record = (pods: readonly PodRecord[]): void => {
    lab = { ...lab, pods }
    writeRecord(lab)
  }
  const failures: string[] = []
  const attempt = (work: Promise<void>): Promise<void> =>
    work.catch((error: Error) => void failures.push(error.message))
  await eachOf(surplus, (pod) =>
    attempt(removePod(lab, pod).then(() => record(lab.pods.filter((other) => other !== pod)))),
  )
  await eachOf(keep, (pod) =>
    attempt(
      updatePod(lab, pod, wanted.get(podKey(pod))).then((now) =>
        record(lab.pods.map((other) => (other === pod ? now : other))),
      ),
    ),
  )
  await eachOf(missing, (plan) =>
    attempt(createPod(lab, plan).then((pod) => record([...lab.pods, pod]))),
  )
  publish(lab, services, known)
  if (failures.length > 0) throw new Error(failures.join('\n'))
  return { created: missing.map(podKey), removed: surplus.map(podKey), notes: notes.list() }
}

/** The same pod, though its labels or ports may differ: no new namespace is needed. */
function isSamePod(pod: PodRecord, plan: PlannedPod | undefined): boolean {
  return (
    plan !== undefined &&
    plan.owner === pod.owner &&
    plan.node === pod.node &&
    plan.hostNetwork === pod.hostNetwork &&
    // The runtime says these once, at ADD.
    JSON.stringify(capabilitiesOf(plan)) === JSON.stringify(capabilitiesOf(pod))
  )
}

/** New labels and ports; the server is started again if its ports changed or if it died. */
async function updatePod(
  lab: LabRecord,
  pod: PodRecord,
  plan: PlannedPod | undefined,
): Promise<PodRecord> {
  const now = { ...pod, ...plan }
  const samePorts = JSON.stringify(now.ports) === JSON.stringify(pod.ports)
  if (samePorts && pod.server && isAlive(pod.server)) return now
  return await restartServer(lab, now)
}

function withAimedPorts(
  pods: readonly PlannedPod[],
  services: readonly PlannedService[],
): PlannedPod[] {
  return pods.map((pod) => {
    const ports = new Map(pod.ports.map((port) => [`${port.port}/${port.protocol}`, port]))
    for (const port of aimedPorts(services, pod)) {
      const key = `${port.port}/${port.protocol}`
      if (!ports.has(key)) ports.set(key, port)
    }
    return { ...pod, ports: [...ports.values()] }
  })
}

function rangesOf(lab: LabRecord): Partial<typeof SERVICE_CIDRS> {
  const addresses = lab.nodes.flatMap((node) => node.addresses)
  return {
    ...(addresses.some((address) => addressFamily(address) === 4)
      ? { ipv4: SERVICE_CIDRS.ipv4 }
      : {}),
    ...(addresses.some((address) => addressFamily(address) === 6)
      ? { ipv6: SERVICE_CIDRS.ipv6 }
      : {}),
  }
}

async function eachOf<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

/** For messages: "Deployment default/web". */
export function namesOf(objects: readonly KubeObject[]): string[] {
  return objects.map(objectKey)
}
