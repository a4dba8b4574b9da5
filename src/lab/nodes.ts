// A node of the lab: a network namespace with a cable to the fabric, its own bpffs, its own cgroup
// and its own directories. The agent is started separately.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeCgroup } from './cgroups.ts'
import { connectNode } from './fabric.ts'
import { mountBpffs } from './mounts.ts'
import { makeNetns, writeSysctls } from './namespaces.ts'
import { type LabPaths, labPrefix } from './paths.ts'
import type { NodeRecord } from './record.ts'
import { bare, type LabSpec, type NodePlan } from './spec.ts'

export async function makeNode(
  paths: LabPaths,
  spec: LabSpec,
  plan: NodePlan,
): Promise<NodeRecord> {
  const netns = `${labPrefix(spec.name)}-${plan.name}`
  const directory = join(paths.directory, plan.name)
  const record: NodeRecord = {
    name: plan.name,
    offLink: plan.offLink,
    netns,
    addresses: plan.addresses.map(bare),
    podCidrs: plan.podCidrs,
    runDir: join(directory, 'run'),
    socket: join(directory, 'run', 'weir.sock'),
    bpfRoot: join(directory, 'bpf'),
    stateDir: join(directory, 'state'),
    log: join(directory, 'agent.log'),
    cgroup: join(paths.cgroup, plan.name),
    agent: null,
  }
  mkdirSync(record.runDir, { recursive: true })
  mkdirSync(record.stateDir, { recursive: true })
  await mountBpffs(record.bpfRoot)
  makeCgroup(record.cgroup)
  await makeNetns(paths, netns)
  // What kubeadm's preflight asks of a node.
  await writeSysctls(netns, { 'ipv4/ip_forward': 1, 'ipv6/conf/all/forwarding': 1 })
  await connectNode(spec, plan, netns)
  return record
}
