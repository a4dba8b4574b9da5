// The runtime's side of CNI: execs the real weir-cni on the node, with the environment and the
// configuration that containerd would give it.
import { dirname } from 'node:path'
import { type Address, parseAddress } from '../net/address.ts'
import { builtProgram, netnsPath } from './paths.ts'
import { enterCommand } from './place.ts'
import type { NodeRecord, PodPort } from './record.ts'
import { type Finished, runAnyway } from './run.ts'

export interface Attachment {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly containerId: string
  /** Name of the pod's namespace; '' once it is gone. */
  readonly netns: string
  readonly annotations: Readonly<Record<string, string>>
  readonly ports: readonly PodPort[]
}

const IF_NAME = 'eth0'

function callCni(
  node: NodeRecord,
  command: string,
  environment: Readonly<Record<string, string>>,
  runtimeConfig: object = {},
): Promise<Finished> {
  const program = builtProgram('weir-cni')
  const config = {
    cniVersion: '1.1.0',
    name: 'weir',
    type: 'weir-cni',
    socket: node.socket,
    stateDir: node.stateDir,
    runtimeConfig,
  }
  return runAnyway('sh', enterCommand(node, [program]), {
    input: JSON.stringify(config),
    env: { CNI_COMMAND: command, CNI_PATH: dirname(program), ...environment },
  })
}

function attachmentEnvironment(pod: Attachment): Record<string, string> {
  return {
    CNI_CONTAINERID: pod.containerId,
    CNI_NETNS: pod.netns ? netnsPath(pod.netns) : '',
    CNI_IFNAME: IF_NAME,
    CNI_ARGS: [
      'IgnoreUnknown=1',
      `K8S_POD_NAMESPACE=${pod.namespace}`,
      `K8S_POD_NAME=${pod.name}`,
      `K8S_POD_INFRA_CONTAINER_ID=${pod.containerId}`,
      `K8S_POD_UID=${pod.uid}`,
    ].join(';'),
  }
}

/** Capabilities as containerd sends them: Go's names, protocols in lower case. */
export function capabilitiesOf({ ports, annotations }: Pick<Attachment, 'ports' | 'annotations'>) {
  const portMappings = ports
    .filter(({ hostPort }) => hostPort)
    .map(({ hostPort, hostIp = '', port, protocol }) => ({
      HostPort: hostPort,
      ContainerPort: port,
      Protocol: protocol.toLowerCase(),
      HostIP: hostIp,
    }))
  const ingress = bitsPerSecond(annotations['kubernetes.io/ingress-bandwidth'])
  const egress = bitsPerSecond(annotations['kubernetes.io/egress-bandwidth'])
  const bandwidth = {
    ...(ingress ? { IngressRate: ingress, IngressBurst: CONTAINERD_BURST } : {}),
    ...(egress ? { EgressRate: egress, EgressBurst: CONTAINERD_BURST } : {}),
  }
  return {
    ...(portMappings.length > 0 ? { portMappings } : {}),
    ...(ingress || egress ? { bandwidth } : {}),
  }
}

/** What containerd sends for "no limit". */
const CONTAINERD_BURST = 0xffff_ffff

/** "10M" and the like; 0 for none. */
function bitsPerSecond(text = ''): number {
  const [, digits = '', unit = ''] = /^(\d+)([kMG]?)$/.exec(text) ?? []
  return Number(digits) * ({ k: 1e3, M: 1e6, G: 1e9 }[unit] ?? 1)
}

/** STATUS: code 0 when the node takes pods. */
export function cniStatus(node: NodeRecord): Promise<Finished> {
  return callCni(node, 'STATUS', {})
}

/** ADD; the pod's addresses in the order of the result. Throws with the plugin's error. */
export async function cniAdd(node: NodeRecord, pod: Attachment): Promise<Address[]> {
  const { code, stdout, stderr } = await callCni(
    node,
    'ADD',
    attachmentEnvironment(pod),
    capabilitiesOf(pod),
  )
  if (code !== 0)
    throw new Error(`Cannot attach ${pod.namespace}/${pod.name}: ${said(stdout, stderr)}`)
  const result = JSON.parse(stdout) as { ips?: { address: string }[] }
  return (result.ips ?? []).map(({ address }) => parseAddress(address.split('/')[0] ?? ''))
}

/** DEL; succeeds also while the agent is away (it is queued). Throws with the plugin's error. */
export async function cniDelete(node: NodeRecord, pod: Attachment): Promise<void> {
  const { code, stdout, stderr } = await callCni(
    node,
    'DEL',
    attachmentEnvironment(pod),
    capabilitiesOf(pod),
  )
  if (code !== 0)
    throw new Error(`Cannot detach ${pod.namespace}/${pod.name}: ${said(stdout, stderr)}`)
}

/** A CNI error is JSON on stdout; anything else is told as it came. */
function said(stdout: string, stderr: string): string {
  try {
    const { code, msg, details } = JSON.parse(stdout) as Record<string, unknown>
    return `${msg}${details ? ` (${details})` : ''} [code ${code}]`
  } catch {
    return stderr.trim() || stdout.trim() || 'no answer'
  }
}
