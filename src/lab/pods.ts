// A pod of the lab: a namespace attached by weir-cni and one server process on the declared ports.
// A hostNetwork pod is a server in its node's namespace.
import { randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { removeCgroup } from './cgroups.ts'
import { cniAdd, cniDelete } from './cni.ts'
import type { PlannedPod } from './manifests/plan.ts'
import { ipBatch, listLinks, makeNetns, removeNetns } from './namespaces.ts'
import { builtProgram, labPaths, labPrefix } from './paths.ts'
import { startIn } from './place.ts'
import { endProcess, identify, type ProcessIdentity } from './processes.ts'
import { type LabRecord, type NodeRecord, type PodRecord, podKey } from './record.ts'

function nodeOf(lab: LabRecord, pod: { readonly node: string }): NodeRecord {
  const node = lab.nodes.find(({ name }) => name === pod.node)
  if (!node) throw new Error(`Cannot place a pod on ${pod.node}: the lab has no such node`)
  return node
}

/**
 * The pod as an API server has it before a kubelet makes it: without addresses. It is published
 * so, for agents answer ADD only when they know the Pod that policies may select.
 */
export function announcePod(lab: LabRecord, plan: PlannedPod): PodRecord {
  const node = nodeOf(lab, plan)
  const uid = randomUUID()
  const name = `${labPrefix(lab.name)}-pod-${plan.namespace}-${plan.name}`
  return {
    ...plan,
    uid,
    containerId: uid.replaceAll('-', '').padEnd(64, '0'),
    netns: plan.hostNetwork ? node.netns : name,
    cgroup: join(node.cgroup, 'pods', `${plan.namespace}.${plan.name}`),
    addresses: [],
    server: null,
  }
}

/**
 * Makes the pod's namespace, attaches it and starts its server. Leaves nothing behind on failure.
 */
export async function createPod(lab: LabRecord, announced: PodRecord): Promise<PodRecord> {
  const node = nodeOf(lab, announced)
  const pod = { ...announced, addresses: node.addresses }
  try {
    if (pod.hostNetwork) return { ...pod, server: await startServer(lab, pod) }
    await makeNetns(labPaths(lab.name), pod.netns)
    const addresses = await cniAdd(node, pod)
    return { ...pod, addresses, server: await startServer(lab, pod) }
  } catch (error) {
    await removePod(lab, pod).catch(() => {})
    throw error
  }
}

/** Ends the server, detaches the pod and removes its namespace, as a runtime does it. */
export async function removePod(lab: LabRecord, pod: PodRecord): Promise<void> {
  if (pod.server) await endProcess(pod.server)
  await removeCgroup(pod.cgroup)
  if (pod.hostNetwork) return
  await cniDelete(nodeOf(lab, pod), pod)
  await removeNetns(labPaths(lab.name), pod.netns)
}

/** Starts the server again, with other ports or after it died. */
export async function restartServer(lab: LabRecord, pod: PodRecord): Promise<PodRecord> {
  if (pod.server) await endProcess(pod.server)
  return { ...pod, server: await startServer(lab, pod) }
}

function startServer(lab: LabRecord, pod: PodRecord): Promise<ProcessIdentity> {
  const directory = join(labPaths(lab.name).directory, 'pods')
  const logPath = join(directory, `${pod.namespace}.${pod.name}.log`)
  mkdirSync(directory, { recursive: true })
  const ports = pod.ports.map(({ protocol, port }) => `--${protocol.toLowerCase()}=${port}`)
  const command = [builtProgram('weir-pod'), 'serve', '--name', pod.name, '--node', pod.node]
  const log = openSync(logPath, 'w')
  const child = startIn(pod, [...command, ...ports], {
    stdio: ['ignore', 'pipe', log],
    detached: true,
  })
  closeSync(log)
  return new Promise((resolve, reject) => {
    const fail = (): void => {
      const said = readFileSync(logPath, 'utf8').trim()
      reject(new Error(`Cannot start pod ${podKey(pod)}: ${said || 'its server ended'}`))
    }
    child.once('error', reject)
    child.once('exit', fail)
    child.stdout?.once('data', () => {
      const identity = child.pid === undefined ? undefined : identify(child.pid)
      child.off('exit', fail)
      child.stdout?.destroy()
      child.unref()
      if (identity) resolve(identity)
      else fail()
    })
  })
}

/**
 * Sets the MTU on both ends of a pod's cable; for checks that need a sender who knows no better.
 */
export async function setPodMtu(node: NodeRecord, pod: PodRecord, mtu: number): Promise<void> {
  const inside = (await listLinks(pod.netns)).find(({ ifname }) => ifname === 'eth0')
  const outside = (await listLinks(node.netns)).find(
    ({ ifindex }) => ifindex === inside?.link_index,
  )
  if (!outside) throw new Error(`Cannot set the MTU of ${podKey(pod)}: it has no host interface`)
  await ipBatch(node.netns, [`link set ${outside.ifname} mtu ${mtu}`])
  await ipBatch(pod.netns, [`link set eth0 mtu ${mtu}`])
}
